package logs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"slipway/internal/sandbox/awsapi"
)

// groupID is the part of a request that names a group.
type groupID struct {
	LogGroupName       string `json:"logGroupName"`
	LogGroupIdentifier string `json:"logGroupIdentifier"`
}

// lockedGroup finds the log group of a request and calls f with mu held.
func (l *Groups) lockedGroup(c awsapi.Call, t groupID, f func(*group) error) error {
	name := t.LogGroupName
	if id := t.LogGroupIdentifier; id != "" {
		if name != "" {
			return awsapi.NewError("InvalidParameterException",
				"logGroupName and logGroupIdentifier are mutually exclusive")
		}
		name = id
		if _, after, ok := strings.Cut(id, ":log-group:"); ok {
			name = after
		}
	}
	if err := checkName(groupPattern, "logGroupName", name); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.groups[groupKey{c.Region, name}]
	if g == nil {
		return errNoGroup
	}
	return f(g)
}

type createLogGroupIn struct {
	LogGroupName string `json:"logGroupName"`
}

func (l *Groups) createLogGroup(c awsapi.Call, in createLogGroupIn) (out struct{}, err error) {
	if err := checkName(groupPattern, "logGroupName", in.LogGroupName); err != nil {
		return out, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.groups[groupKey{c.Region, in.LogGroupName}] != nil {
		return out, awsapi.NewError("ResourceAlreadyExistsException", "The specified log group already exists")
	}
	l.addGroup(c.Region, in.LogGroupName)
	return out, nil
}

// pageIn is the part of a describing request that asks for a page.
type pageIn struct {
	Limit     *int   `json:"limit"`
	NextToken string `json:"nextToken"`
}

// maxPage is the limit and the default for the length of a page.
const maxPage = 50

func (p pageIn) paging() awsapi.Paging {
	limit := maxPage
	return awsapi.Paging{MaxResults: cmp.Or(p.Limit, &limit), NextToken: p.NextToken}
}

type describeLogGroupsIn struct {
	pageIn
	Prefix  string `json:"logGroupNamePrefix"`
	Pattern string `json:"logGroupNamePattern"`
}

type groupOut struct {
	ARN               string `json:"arn"`
	LogGroupARN       string `json:"logGroupArn"`
	LogGroupName      string `json:"logGroupName"`
	LogGroupClass     string `json:"logGroupClass"`
	CreationTime      int64  `json:"creationTime"`
	MetricFilterCount int    `json:"metricFilterCount"`
	StoredBytes       int64  `json:"storedBytes"`
}

type describeLogGroupsOut struct {
	LogGroups []groupOut `json:"logGroups"`
	NextToken string     `json:"nextToken,omitempty"`
}

func (l *Groups) describeLogGroups(c awsapi.Call, in describeLogGroupsIn) (out describeLogGroupsOut, err error) {
	if in.Prefix != "" && in.Pattern != "" {
		return out, awsapi.NewError("InvalidParameterException",
			"LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var names []string
	for key := range l.groups {
		if key.region == c.Region && strings.HasPrefix(key.name, in.Prefix) && strings.Contains(key.name, in.Pattern) {
			names = append(names, key.name)
		}
	}
	slices.Sort(names)
	names, out.NextToken, err = awsapi.Page(in.paging(), maxPage, names, func(n string) string { return n })
	out.LogGroups = []groupOut{}
	for _, name := range names {
		g := l.groups[groupKey{c.Region, name}]
		out.LogGroups = append(out.LogGroups, groupOut{
			ARN: g.arn + ":*", LogGroupARN: g.arn, LogGroupName: g.name, LogGroupClass: "STANDARD",
			CreationTime: g.createdAt.UnixMilli(), StoredBytes: g.storedBytes(),
		})
	}
	return out, err
}

type streamID struct {
	groupID
	LogStreamName string `json:"logStreamName"`
}

func (l *Groups) createLogStream(c awsapi.Call, in streamID) (out struct{}, err error) {
	if err := checkName(streamPattern, "logStreamName", in.LogStreamName); err != nil {
		return out, err
	}
	return out, l.lockedGroup(c, in.groupID, func(g *group) error {
		if g.streams[in.LogStreamName] != nil {
			return awsapi.NewError("ResourceAlreadyExistsException", "The specified log stream already exists")
		}
		g.addStream(in.LogStreamName, l.clock.Now())
		return nil
	})
}

type describeLogStreamsIn struct {
	groupID
	pageIn
	Prefix     string `json:"logStreamNamePrefix"`
	OrderBy    string `json:"orderBy"`
	Descending bool   `json:"descending"`
}

type streamOut struct {
	ARN                 string `json:"arn"`
	LogStreamName       string `json:"logStreamName"`
	CreationTime        int64  `json:"creationTime"`
	FirstEventTimestamp int64  `json:"firstEventTimestamp,omitempty"`
	LastEventTimestamp  int64  `json:"lastEventTimestamp,omitempty"`
	LastIngestionTime   int64  `json:"lastIngestionTime,omitempty"`
	StoredBytes         int64  `json:"storedBytes"` // always 0 since 2019, says the reference
}

type describeLogStreamsOut struct {
	LogStreams []streamOut `json:"logStreams"`
	NextToken  string      `json:"nextToken,omitempty"`
}

func (l *Groups) describeLogStreams(c awsapi.Call, in describeLogStreamsIn) (out describeLogStreamsOut, err error) {
	byTime := in.OrderBy == "LastEventTime"
	if byTime && in.Prefix != "" {
		return out, awsapi.NewError("InvalidParameterException",
			"Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	err = l.lockedGroup(c, in.groupID, func(g *group) error {
		streams := []streamOut{}
		for _, s := range g.streams {
			if strings.HasPrefix(s.name, in.Prefix) {
				streams = append(streams, s.describe())
			}
		}
		slices.SortFunc(streams, func(a, b streamOut) int {
			if byTime {
				return cmp.Or(cmp.Compare(a.LastEventTimestamp, b.LastEventTimestamp), cmp.Compare(a.LogStreamName, b.LogStreamName))
			}
			return cmp.Compare(a.LogStreamName, b.LogStreamName)
		})
		if in.Descending {
			slices.Reverse(streams)
		}
		// Pages are cut by position, which new streams may shift, as they may
		// on AWS.
		position := map[string]string{}
		for i, s := range streams {
			position[s.LogStreamName] = fmt.Sprintf("%08d", i)
		}
		out.LogStreams, out.NextToken, err = awsapi.Page(in.paging(), maxPage, streams, func(s streamOut) string { return position[s.LogStreamName] })
		return err
	})
	return out, err
}

func (s *stream) describe() streamOut {
	out := streamOut{ARN: s.arn, LogStreamName: s.name, CreationTime: s.createdAt.UnixMilli()}
	if n := len(s.events); n > 0 {
		out.FirstEventTimestamp, out.LastEventTimestamp = s.events[0].Timestamp, s.events[n-1].Timestamp
		for _, e := range s.events {
			out.LastIngestionTime = max(out.LastIngestionTime, e.IngestionTime)
		}
	}
	return out
}
