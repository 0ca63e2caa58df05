package sandbox_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

func logsClient(s *sandbox.Server) *cloudwatchlogs.Client {
	return cloudwatchlogs.NewFromConfig(testkit.AWSConfig(s.URL()))
}

// logged makes a group /ecs/web and a stream web/one that hold lines a second
// apart, the last one now.
func logged(t *testing.T, c *cloudwatchlogs.Client, lines ...string) {
	t.Helper()
	group, stream := aws.String("/ecs/web"), aws.String("web/one")
	if _, err := c.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: stream}); err != nil {
		t.Fatal(err)
	}
	var events []types.InputLogEvent
	first := time.Now().Add(-time.Duration(len(lines)-1) * time.Second)
	for i, line := range lines {
		events = append(events, types.InputLogEvent{Message: &line, Timestamp: aws.Int64(first.Add(time.Duration(i) * time.Second).UnixMilli())})
	}
	out, err := c.PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{LogGroupName: group, LogStreamName: stream, LogEvents: events})
	if err != nil || out.RejectedLogEventsInfo != nil {
		t.Fatalf("putting events: %v %v", err, out)
	}
}

func messages(events []types.OutputLogEvent) (out []string) {
	for _, e := range events {
		out = append(out, aws.ToString(e.Message))
	}
	return out
}

func TestGetLogEvents(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := logsClient(s)
	logged(t, c, "a", "b", "c", "d", "e")
	get := func(in cloudwatchlogs.GetLogEventsInput) *cloudwatchlogs.GetLogEventsOutput {
		t.Helper()
		in.LogGroupName, in.LogStreamName = aws.String("/ecs/web"), aws.String("web/one")
		out, err := c.GetLogEvents(t.Context(), &in)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	want := func(out *cloudwatchlogs.GetLogEventsOutput, lines string) {
		t.Helper()
		if got := strings.Join(messages(out.Events), ""); got != lines {
			t.Errorf("got %q, want %q", got, lines)
		}
	}
	want(get(cloudwatchlogs.GetLogEventsInput{}), "abcde")

	last := get(cloudwatchlogs.GetLogEventsInput{Limit: aws.Int32(2)})
	want(last, "de")
	earlier := get(cloudwatchlogs.GetLogEventsInput{Limit: aws.Int32(2), NextToken: last.NextBackwardToken})
	want(earlier, "bc")
	want(get(cloudwatchlogs.GetLogEventsInput{Limit: aws.Int32(2), NextToken: earlier.NextForwardToken}), "de")
	end := get(cloudwatchlogs.GetLogEventsInput{NextToken: last.NextForwardToken})
	want(end, "")
	if *end.NextForwardToken != *last.NextForwardToken {
		t.Errorf("at the end the token changed from %s to %s", *last.NextForwardToken, *end.NextForwardToken)
	}

	head := get(cloudwatchlogs.GetLogEventsInput{Limit: aws.Int32(3), StartFromHead: aws.Bool(true)})
	want(head, "abc")
	want(get(cloudwatchlogs.GetLogEventsInput{NextToken: head.NextForwardToken, StartFromHead: aws.Bool(true)}), "de")
	start := get(cloudwatchlogs.GetLogEventsInput{NextToken: head.NextBackwardToken})
	want(start, "")
	if *start.NextBackwardToken != *head.NextBackwardToken {
		t.Errorf("at the start the token changed from %s to %s", *head.NextBackwardToken, *start.NextBackwardToken)
	}

	third := get(cloudwatchlogs.GetLogEventsInput{}).Events[2].Timestamp
	want(get(cloudwatchlogs.GetLogEventsInput{StartTime: third}), "cde")
	want(get(cloudwatchlogs.GetLogEventsInput{EndTime: third}), "ab")
	want(get(cloudwatchlogs.GetLogEventsInput{EndTime: third, Limit: aws.Int32(1)}), "b")
}

// An answer of GetLogEvents holds 1 MB at most.
func TestGetLogEventsBySize(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := logsClient(s)
	big := strings.Repeat("x", 400<<10)
	logged(t, c, "1"+big, "2"+big, "3"+big, "4"+big)
	in := &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("/ecs/web"), LogStreamName: aws.String("web/one")}
	var pages []int
	for range 5 {
		out, err := c.GetLogEvents(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Events) == 0 {
			break
		}
		pages = append(pages, len(out.Events))
		in.NextToken = out.NextBackwardToken
	}
	if !slices.Equal(pages, []int{2, 2}) {
		t.Errorf("pages of %v events, want 2 and 2", pages)
	}
}

func TestPutLogEventsOutOfTime(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := logsClient(s)
	logged(t, c, "middle")
	at := func(d time.Duration) *int64 { return aws.Int64(time.Now().Add(d).UnixMilli()) }
	in := &cloudwatchlogs.PutLogEventsInput{LogGroupName: aws.String("/ecs/web"), LogStreamName: aws.String("web/one"), LogEvents: []types.InputLogEvent{
		{Timestamp: at(-30 * 24 * time.Hour), Message: aws.String("too old")},
		{Timestamp: at(-time.Hour), Message: aws.String("early")},
		{Timestamp: at(3 * time.Hour), Message: aws.String("too new")},
		{Timestamp: at(4 * time.Hour), Message: aws.String("too new as well")},
	}}
	out, err := c.PutLogEvents(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if r := out.RejectedLogEventsInfo; r == nil || aws.ToInt32(r.TooOldLogEventEndIndex) != 1 || aws.ToInt32(r.TooNewLogEventStartIndex) != 2 {
		t.Errorf("rejected %+v, want the first and from the third on", r)
	}
	events, err := c.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupIdentifier: aws.String("/ecs/web"), LogStreamName: aws.String("web/one")})
	if err != nil {
		t.Fatal(err)
	}
	if got := messages(events.Events); !slices.Equal(got, []string{"early", "middle"}) {
		t.Errorf("events are %q, want early, middle", got)
	}
	slices.Reverse(in.LogEvents)
	_, err = c.PutLogEvents(t.Context(), in)
	wantCode(t, err, "InvalidParameterException")
}

func TestDescribeLogs(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := logsClient(s)
	logged(t, c, "one line")
	for i := range 60 {
		if _, err := c.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: aws.String("/ecs/web"), LogStreamName: aws.String(fmt.Sprintf("other/%02d", i))}); err != nil {
			t.Fatal(err)
		}
	}
	groups, err := c.DescribeLogGroups(t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("/ecs")})
	if err != nil {
		t.Fatal(err)
	}
	if len(groups.LogGroups) != 1 || *groups.LogGroups[0].Arn != "arn:aws:logs:us-east-1:000000000000:log-group:/ecs/web:*" || *groups.LogGroups[0].StoredBytes != 34 {
		t.Errorf("groups are %+v", groups.LogGroups)
	}
	var names []string
	pages := cloudwatchlogs.NewDescribeLogStreamsPaginator(c, &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: aws.String("/ecs/web")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(page.LogStreams) > 50 {
			t.Errorf("a page of %d", len(page.LogStreams))
		}
		for _, stream := range page.LogStreams {
			names = append(names, *stream.LogStreamName)
		}
	}
	if !slices.Equal(names, s.LogStreams("/ecs/web")) || len(names) != 61 {
		t.Errorf("%d streams: %v", len(names), names)
	}
	newest, err := c.DescribeLogStreams(t.Context(), &cloudwatchlogs.DescribeLogStreamsInput{
		LogGroupName: aws.String("/ecs/web"), OrderBy: types.OrderByLastEventTime, Descending: aws.Bool(true), Limit: aws.Int32(1),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := newest.LogStreams; len(got) != 1 || *got[0].LogStreamName != "web/one" || got[0].LastEventTimestamp == nil {
		t.Errorf("newest is %+v", got)
	}
}

func TestLogErrors(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := logsClient(s)
	logged(t, c, "x")
	group, stream := aws.String("/ecs/web"), aws.String("web/one")
	for name, test := range map[string]struct {
		do   func() error
		code string
	}{
		"group there": {func() error {
			_, err := c.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group})
			return err
		}, "ResourceAlreadyExistsException"},
		"bad group name": {func() error {
			_, err := c.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("a b")})
			return err
		}, "InvalidParameterException"},
		"stream there": {func() error {
			_, err := c.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: stream})
			return err
		}, "ResourceAlreadyExistsException"},
		"stream with a colon": {func() error {
			_, err := c.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: aws.String("a:b")})
			return err
		}, "InvalidParameterException"},
		"no group": {func() error {
			_, err := c.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("/ecs/nope"), LogStreamName: stream})
			return err
		}, "ResourceNotFoundException"},
		"no stream": {func() error {
			_, err := c.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupName: group, LogStreamName: aws.String("nope")})
			return err
		}, "ResourceNotFoundException"},
		"bad token": {func() error {
			_, err := c.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupName: group, LogStreamName: stream, NextToken: aws.String("f/x")})
			return err
		}, "InvalidParameterException"},
		"limit": {func() error {
			_, err := c.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupName: group, LogStreamName: stream, Limit: aws.Int32(10_001)})
			return err
		}, "InvalidParameterException"},
		"name and identifier": {func() error {
			_, err := c.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupName: group, LogGroupIdentifier: group, LogStreamName: stream})
			return err
		}, "InvalidParameterException"},
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, test.do(), test.code) })
	}
}
