package follow

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/testkit"
	"slipway/rollout/diagnose"
	"slipway/rollout/ecs"
)

// logPage answers like GetLogEvents from the tail: a first page that is empty,
// as CloudWatch may give it, then the last lines.
func logPage(lines []string, in *cloudwatchlogs.GetLogEventsInput) *cloudwatchlogs.GetLogEventsOutput {
	out := &cloudwatchlogs.GetLogEventsOutput{NextBackwardToken: aws.String("b/end"), Events: []logtypes.OutputLogEvent{}}
	if in.NextToken == nil {
		out.NextBackwardToken = aws.String("b/1")
		return out
	}
	if *in.NextToken != "b/1" {
		return out
	}
	n := min(len(lines), int(*in.Limit))
	for _, l := range lines[len(lines)-n:] {
		out.Events = append(out.Events, logtypes.OutputLogEvent{Message: aws.String(l)})
	}
	return out
}

// logging is a service whose container web has this log configuration.
func logging(options map[string]any, driver string) ecs.Service {
	config := map[string]any{"logDriver": driver, "options": options}
	if driver == "" {
		config = nil
	}
	return ecs.Service{Ref: ecs.Ref{Cluster: "shop", Service: "web"}, Definition: ecs.Definition{
		ARN: accountPrefix + "task-definition/web:7",
		Fields: map[string]any{"containerDefinitions": []any{
			map[string]any{"name": "web", "image": "repo:latest", "logConfiguration": config},
		}},
	}}
}

// exited returns a task that stopped when its container web exited.
func exited(code int32) types.Task {
	start := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	return types.Task{
		TaskArn: aws.String(accountPrefix + "task/shop/0123456789abcdef0123456789abcdef"), LastStatus: aws.String("STOPPED"),
		StopCode: types.TaskStopCodeEssentialContainerExited, StoppedReason: aws.String("Essential container in task exited"),
		StartedAt: aws.Time(start), StoppedAt: aws.Time(start.Add(3 * time.Second)),
		Containers: []types.Container{{Name: aws.String("web"), ExitCode: aws.Int32(code), RuntimeId: aws.String("0123-runtime")}},
	}
}

func TestReadLog(t *testing.T) {
	awslogs := map[string]any{"awslogs-group": "/ecs/web", "awslogs-region": "eu-central-1", "awslogs-stream-prefix": "ecs"}
	stream := "eu-central-1 /ecs/web ecs/web/0123456789abcdef0123456789abcdef"
	never := exited(0)
	never.StartedAt, never.Containers[0].ExitCode = nil, nil
	anonymous := exited(1)
	anonymous.Containers[0].RuntimeId = nil
	var many []string
	for i := range 25 {
		many = append(many, fmt.Sprint("line ", i))
	}
	tests := map[string]struct {
		service ecs.Service
		task    types.Task
		logs    map[string][]string
		fail    error
		log     []string
		of      string
	}{
		"last ten lines of the region's stream": {logging(awslogs, "awslogs"), exited(1), map[string][]string{stream: many}, nil,
			many[15:], "web in task 0123456789abcdef0123456789abcdef"},
		"without a prefix by the runtime's id": {logging(map[string]any{"awslogs-group": "g"}, "awslogs"), exited(1), map[string][]string{" g 0123-runtime": {"bye"}}, nil,
			[]string{"bye"}, "web in task 0123456789abcdef0123456789abcdef"},
		"without a prefix and id": {logging(map[string]any{"awslogs-group": "g"}, "awslogs"), anonymous, nil, nil,
			nil, "web logs to g without awslogs-stream-prefix, so its log stream is not known"},
		"no group":      {logging(map[string]any{}, "awslogs"), exited(1), nil, nil, nil, "web has no awslogs-group in the task definition"},
		"another":       {logging(nil, "awsfirelens"), exited(1), nil, nil, nil, "web logs with awsfirelens, not with awslogs"},
		"none":          {logging(nil, ""), exited(1), nil, nil, nil, "web has no log driver in the task definition"},
		"never ran":     {logging(awslogs, "awslogs"), never, nil, nil, nil, "web never ran"},
		"no definition": {ecs.Service{}, exited(1), nil, nil, nil, "the task definition that was read has no container web"},
		"empty":         {logging(awslogs, "awslogs"), exited(1), nil, nil, nil, "web in task 0123456789abcdef0123456789abcdef wrote none"},
		"refused": {logging(awslogs, "awslogs"), exited(1), nil, refused("AccessDeniedException"), nil,
			"the log of web in task 0123456789abcdef0123456789abcdef may not be read (logs:GetLogEvents on /ecs/web)"},
		"missing": {logging(awslogs, "awslogs"), exited(1), nil, &logtypes.ResourceNotFoundException{Message: aws.String("The specified log stream does not exist.")}, nil,
			"the log of web in task 0123456789abcdef0123456789abcdef could not be read: ResourceNotFoundException: The specified log stream does not exist."},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newFakeECS()
			w.logs = tt.logs
			w.fail = func(string, int) error { return tt.fail }
			e := tt.service.Evidence()
			e.Stopped = []types.Task{tt.task}
			Follower{Logs: w}.readLog(t.Context(), &e)
			if !slices.Equal(e.Log, tt.log) || e.LogOf != tt.of {
				t.Errorf("got  %q of %q\nwant %q of %q", e.Log, e.LogOf, tt.log, tt.of)
			}
			if w.calls["GetLogEvents"] > logPages {
				t.Errorf("%d calls", w.calls["GetLogEvents"])
			}
		})
	}
}

// The region of a log group may be another than the client's: the real client
// must sign for it.
func TestLogRegion(t *testing.T) {
	var authorization string
	client := cloudwatchlogs.NewFromConfig(testkit.AWSConfig("http://logs.invalid"), func(o *cloudwatchlogs.Options) {
		o.Region = "eu-west-1"
		o.HTTPClient = roundTrip(func(r *http.Request) (*http.Response, error) {
			authorization = r.Header.Get("Authorization")
			return nil, errors.New("enough seen")
		})
	})
	_, err := Follower{Logs: client}.lastLines(t.Context(), diagnose.LogSource{Group: "g", Stream: "s", Region: "ap-southeast-2"})
	if err == nil || !strings.Contains(authorization, "/ap-southeast-2/logs/") {
		t.Errorf("error %v, signed with %q", err, authorization)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) Do(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	return f(r)
}
