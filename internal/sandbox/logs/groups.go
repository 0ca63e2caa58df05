// Package logs is a stand-in for Amazon CloudWatch Logs.
package logs

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"
	"time"

	"slipway/internal/sandbox/awsapi"
)

// Service returns the CloudWatch Logs API. Names of fields, limits and errors
// are those of its API reference, version 2014-03-28.
func (l *Groups) Service() awsapi.Service {
	return awsapi.Service{
		Name:      "logs",
		Prefix:    "Logs_20140328",
		Reference: reference,
		Actions: map[string]awsapi.Action{
			"CreateLogGroup":     awsapi.NewAction(l.createLogGroup),
			"DescribeLogGroups":  awsapi.NewAction(l.describeLogGroups),
			"CreateLogStream":    awsapi.NewAction(l.createLogStream),
			"DescribeLogStreams": awsapi.NewAction(l.describeLogStreams),
			"PutLogEvents":       awsapi.NewAction(l.putLogEvents),
			"GetLogEvents":       awsapi.NewAction(l.getLogEvents),
		},
	}
}

// Groups are the log groups of an account in all regions.
type Groups struct {
	clock   *awsapi.Clock
	account string

	mu     sync.Mutex
	groups map[groupKey]*group
}

type groupKey struct{ region, name string }

type group struct {
	name, arn string
	createdAt time.Time
	streams   map[string]*stream
}

type stream struct {
	name, arn string
	createdAt time.Time
	// events are in order of their times.
	events []event
}

type event struct {
	Timestamp     int64  `json:"timestamp"`
	Message       string `json:"message"`
	IngestionTime int64  `json:"ingestionTime"`
}

// New returns an account without log groups.
func New(account string, c *awsapi.Clock) *Groups {
	return &Groups{clock: c, account: account, groups: map[groupKey]*group{}}
}

// Write adds lines to a stream, as the log driver awslogs does. It creates the
// stream and, with createGroup set, the group. The error is
// ResourceNotFoundException if there is no group.
func (l *Groups) Write(region, group, stream string, createGroup bool, at time.Time, lines []string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.groups[groupKey{region, group}]
	if g == nil {
		if !createGroup {
			return errNoGroup
		}
		g = l.addGroup(region, group)
	}
	s := g.streams[stream]
	if s == nil {
		s = g.addStream(stream, l.clock.Now())
	}
	for _, line := range lines {
		s.insert(event{at.UnixMilli(), line, l.clock.Now().UnixMilli()})
	}
	return nil
}

func (l *Groups) addGroup(region, name string) *group {
	g := &group{
		name:      name,
		arn:       fmt.Sprintf("arn:%s:logs:%s:%s:log-group:%s", awsapi.Partition(region), region, l.account, name),
		createdAt: l.clock.Now(),
		streams:   map[string]*stream{},
	}
	l.groups[groupKey{region, name}] = g
	return g
}

func (g *group) addStream(name string, now time.Time) *stream {
	s := &stream{name: name, arn: g.arn + ":log-stream:" + name, createdAt: now}
	g.streams[name] = s
	return s
}

// insert keeps the order of times; events of the same time stay as they came.
func (s *stream) insert(e event) {
	i := len(s.events)
	for i > 0 && s.events[i-1].Timestamp > e.Timestamp {
		i--
	}
	s.events = slices.Insert(s.events, i, e)
}

func (g *group) storedBytes() (n int64) {
	for _, s := range g.streams {
		for _, e := range s.events {
			n += int64(len(e.Message)) + 26 // the overhead that PutLogEvents documents
		}
	}
	return n
}

var (
	errNoGroup  = awsapi.NewError("ResourceNotFoundException", "The specified log group does not exist.")
	errNoStream = awsapi.NewError("ResourceNotFoundException", "The specified log stream does not exist.")
)

var (
	groupPattern  = regexp.MustCompile(`^[.\-_/#A-Za-z0-9]{1,512}$`)
	streamPattern = regexp.MustCompile(`^[^:*]{1,512}$`)
)

func checkName(pattern *regexp.Regexp, field, name string) error {
	if !pattern.MatchString(name) {
		return awsapi.Errorf("InvalidParameterException",
			"1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy regular expression pattern: %s", name, field, pattern)
	}
	return nil
}

// Streams returns the names of the streams of a log group in order; none if
// there is no such group.
func (l *Groups) Streams(region, group string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.groups[groupKey{region, group}]
	if g == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(g.streams))
}

// reference returns the log stream that a request names, else its group.
func reference(body []byte) string {
	var in struct{ LogStreamName, LogGroupName, LogGroupIdentifier string }
	_ = json.Unmarshal(body, &in) // the action complains about bad JSON
	return cmp.Or(in.LogStreamName, in.LogGroupName, in.LogGroupIdentifier)
}
