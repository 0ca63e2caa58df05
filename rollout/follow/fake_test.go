package follow

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	codetypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"

	"slipway/internal/awsname"
	"slipway/rollout/ecs"
)

const (
	accountPrefix = "arn:aws:ecs:eu-west-1:111122223333:"
	digestA       = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB       = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	digestIndex   = "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
)

// fakeECS is an ECS, a CodeDeploy and a CloudWatch Logs whose state a test
// changes as time goes by. It answers the present state and counts the calls.
type fakeECS struct {
	mu          sync.Mutex
	services    map[string]types.Service
	deployments map[string]types.ServiceDeployment
	tasks       map[string][]types.Task // by service
	revisions   map[string]types.ServiceRevision
	code        map[string]codetypes.DeploymentInfo
	logs        map[string][]string  // by region/group/stream
	protected   map[string]time.Time // when protection expires, by task id

	// pageSize bounds a page of ListTasks and ListServiceDeployments; 0 is 100.
	pageSize int
	// fail may answer an error to a call, n counting the calls of the operation
	// from 1.
	fail func(operation string, n int) error

	calls     map[string]int
	described map[string]int // DescribeTasks by task
}

func newFakeECS() *fakeECS {
	return &fakeECS{
		services: map[string]types.Service{}, deployments: map[string]types.ServiceDeployment{},
		tasks: map[string][]types.Task{}, revisions: map[string]types.ServiceRevision{},
		code: map[string]codetypes.DeploymentInfo{}, logs: map[string][]string{},
		protected: map[string]time.Time{},
		calls:     map[string]int{}, described: map[string]int{},
	}
}

// change changes ECS now.
func (w *fakeECS) change(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
}

// after changes it later.
func (w *fakeECS) after(d time.Duration, do func()) {
	time.AfterFunc(d, func() { w.change(do) })
}

// call counts a call and answers its error. The lock is held when it returns.
func (w *fakeECS) call(ctx context.Context, operation string) error {
	w.mu.Lock()
	w.calls[operation]++
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.fail == nil {
		return nil
	}
	return w.fail(operation, w.calls[operation])
}

func (w *fakeECS) page(n int, token *string) (from, to int, next *string) {
	size := w.pageSize
	if size == 0 {
		size = 100
	}
	fmt.Sscan(aws.ToString(token), &from)
	if to = min(n, from+size); to < n {
		next = aws.String(fmt.Sprint(to))
	}
	return from, to, next
}

func (w *fakeECS) DescribeServices(ctx context.Context, in *awsecs.DescribeServicesInput, _ ...func(*awsecs.Options)) (*awsecs.DescribeServicesOutput, error) {
	err := w.call(ctx, "DescribeServices")
	defer w.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if len(in.Services) > 10 {
		return nil, &types.InvalidParameterException{Message: aws.String("more than 10 services")}
	}
	out := &awsecs.DescribeServicesOutput{}
	for _, name := range in.Services {
		s, ok := w.services[awsname.LastPart(name)]
		if !ok {
			out.Failures = append(out.Failures, types.Failure{Arn: aws.String(accountPrefix + "service/shop/" + awsname.LastPart(name)), Reason: aws.String("MISSING")})
			continue
		}
		s.Deployments, s.Events, s.TaskSets = slices.Clone(s.Deployments), slices.Clone(s.Events), slices.Clone(s.TaskSets)
		out.Services = append(out.Services, s)
	}
	return out, nil
}

func (w *fakeECS) ListServiceDeployments(ctx context.Context, in *awsecs.ListServiceDeploymentsInput, _ ...func(*awsecs.Options)) (*awsecs.ListServiceDeploymentsOutput, error) {
	err := w.call(ctx, "ListServiceDeployments")
	defer w.mu.Unlock()
	if err != nil {
		return nil, err
	}
	list := []types.ServiceDeploymentBrief{}
	for arn, d := range w.deployments {
		if awsname.LastPart(aws.ToString(d.ServiceArn)) == awsname.LastPart(*in.Service) && d.CreatedAt.After(*in.CreatedAt.After) {
			list = append(list, types.ServiceDeploymentBrief{
				ServiceDeploymentArn: aws.String(arn), CreatedAt: d.CreatedAt, Status: d.Status,
				TargetServiceRevisionArn: d.TargetServiceRevision.Arn,
			})
		}
	}
	slices.SortFunc(list, func(a, b types.ServiceDeploymentBrief) int { return b.CreatedAt.Compare(*a.CreatedAt) })
	from, to, next := w.page(len(list), in.NextToken)
	return &awsecs.ListServiceDeploymentsOutput{ServiceDeployments: list[from:to], NextToken: next}, nil
}

func (w *fakeECS) DescribeServiceDeployments(ctx context.Context, in *awsecs.DescribeServiceDeploymentsInput, _ ...func(*awsecs.Options)) (*awsecs.DescribeServiceDeploymentsOutput, error) {
	err := w.call(ctx, "DescribeServiceDeployments")
	defer w.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if len(in.ServiceDeploymentArns) > 20 {
		return nil, &types.InvalidParameterException{Message: aws.String("more than 20 deployments")}
	}
	out := &awsecs.DescribeServiceDeploymentsOutput{}
	for _, arn := range in.ServiceDeploymentArns {
		if d, ok := w.deployments[arn]; ok {
			out.ServiceDeployments = append(out.ServiceDeployments, d)
		} else {
			out.Failures = append(out.Failures, types.Failure{Arn: aws.String(arn), Reason: aws.String("MISSING")})
		}
	}
	return out, nil
}

func (w *fakeECS) DescribeServiceRevisions(ctx context.Context, in *awsecs.DescribeServiceRevisionsInput, _ ...func(*awsecs.Options)) (*awsecs.DescribeServiceRevisionsOutput, error) {
	err := w.call(ctx, "DescribeServiceRevisions")
	defer w.mu.Unlock()
	if err != nil {
		return nil, err
	}
	out := &awsecs.DescribeServiceRevisionsOutput{}
	for _, arn := range in.ServiceRevisionArns {
		if r, ok := w.revisions[arn]; ok {
			out.ServiceRevisions = append(out.ServiceRevisions, r)
		} else {
			out.Failures = append(out.Failures, types.Failure{Arn: aws.String(arn), Reason: aws.String("MISSING")})
		}
	}
	return out, nil
}

func (w *fakeECS) ListTasks(ctx context.Context, in *awsecs.ListTasksInput, _ ...func(*awsecs.Options)) (*awsecs.ListTasksOutput, error) {
	err := w.call(ctx, "ListTasks "+string(in.DesiredStatus))
	defer w.mu.Unlock()
	if err != nil {
		return nil, err
	}
	arns := []string{}
	for _, t := range w.tasks[*in.ServiceName] {
		if aws.ToString(t.DesiredStatus) == string(in.DesiredStatus) {
			arns = append(arns, *t.TaskArn)
		}
	}
	from, to, next := w.page(len(arns), in.NextToken)
	return &awsecs.ListTasksOutput{TaskArns: arns[from:to], NextToken: next}, nil
}

func (w *fakeECS) DescribeTasks(ctx context.Context, in *awsecs.DescribeTasksInput, _ ...func(*awsecs.Options)) (*awsecs.DescribeTasksOutput, error) {
	err := w.call(ctx, "DescribeTasks")
	defer w.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if len(in.Tasks) > 100 || len(in.Tasks) == 0 {
		return nil, &types.InvalidParameterException{Message: aws.String("between 1 and 100 tasks")}
	}
	out := &awsecs.DescribeTasksOutput{}
	for _, tasks := range w.tasks {
		for _, t := range tasks {
			if slices.Contains(in.Tasks, *t.TaskArn) {
				w.described[*t.TaskArn]++
				out.Tasks = append(out.Tasks, t)
			}
		}
	}
	return out, nil
}

func (w *fakeECS) GetTaskProtection(ctx context.Context, in *awsecs.GetTaskProtectionInput, _ ...func(*awsecs.Options)) (*awsecs.GetTaskProtectionOutput, error) {
	err := w.call(ctx, "GetTaskProtection")
	defer w.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if len(in.Tasks) > 100 || len(in.Tasks) == 0 || aws.ToString(in.Cluster) == "" {
		return nil, &types.InvalidParameterException{Message: aws.String("a cluster, and between 1 and 100 tasks")}
	}
	out := &awsecs.GetTaskProtectionOutput{}
	for _, arn := range in.Tasks {
		task := types.ProtectedTask{TaskArn: aws.String(arn)}
		if until, ok := w.protected[awsname.LastPart(arn)]; ok && time.Now().Before(until) {
			task.ProtectionEnabled, task.ExpirationDate = true, aws.Time(until)
		}
		out.ProtectedTasks = append(out.ProtectedTasks, task)
	}
	return out, nil
}

func (w *fakeECS) GetDeployment(ctx context.Context, in *codedeploy.GetDeploymentInput, _ ...func(*codedeploy.Options)) (*codedeploy.GetDeploymentOutput, error) {
	err := w.call(ctx, "GetDeployment")
	defer w.mu.Unlock()
	if err != nil {
		return nil, err
	}
	info, ok := w.code[*in.DeploymentId]
	if !ok {
		return nil, &codetypes.DeploymentDoesNotExistException{}
	}
	return &codedeploy.GetDeploymentOutput{DeploymentInfo: &info}, nil
}

// refused returns an error answer of AWS.
func refused(code string) error {
	return &smithy.GenericAPIError{Code: code, Message: "says the test"}
}

// deployment starts a deployment of a service: number is what its
// id and its revision end in.
func (w *fakeECS) deployment(service, number string, desired int32) ecs.Deployment {
	now := time.Now()
	ref := ecs.Ref{Cluster: "shop", Service: service}
	arn := accountPrefix + "service/shop/" + service
	d := ecs.Deployment{
		Service: ecs.Service{Ref: ref, ARN: arn, Controller: types.DeploymentControllerTypeEcs},
		ID:      "ecs-svc/" + number, Created: now,
		TaskDefinition: accountPrefix + "task-definition/" + service + ":7",
		Wants:          map[string]ecs.DesiredImage{"web": {Image: "repo:hash", Digests: []string{digestA}}},
	}
	w.change(func() {
		w.services[service] = types.Service{
			ServiceName: aws.String(service), ServiceArn: aws.String(arn), Status: aws.String("ACTIVE"), DesiredCount: desired,
			Deployments: []types.Deployment{
				{Id: aws.String(d.ID), Status: aws.String("PRIMARY"), CreatedAt: aws.Time(now), DesiredCount: desired, TaskDefinition: aws.String(d.TaskDefinition), RolloutState: types.DeploymentRolloutStateInProgress},
				{Id: aws.String("ecs-svc/1"), Status: aws.String("ACTIVE"), CreatedAt: aws.Time(now.Add(-time.Hour)), DesiredCount: desired, RunningCount: desired},
			},
			Events: []types.ServiceEvent{event(service, "old", now.Add(-time.Minute), "has reached a steady state.")},
		}
		w.deployments[w.arnOf(service, number)] = types.ServiceDeployment{
			ServiceArn: aws.String(arn), ServiceDeploymentArn: aws.String(w.arnOf(service, number)), CreatedAt: aws.Time(now),
			Status:                types.ServiceDeploymentStatusPending,
			TargetServiceRevision: &types.ServiceRevisionSummary{Arn: aws.String(w.revisionOf(service, number))},
		}
	})
	return d
}

func (w *fakeECS) arnOf(service, number string) string {
	return accountPrefix + "service-deployment/shop/" + service + "/d" + number
}

func (w *fakeECS) revisionOf(service, number string) string {
	return accountPrefix + "service-revision/shop/" + service + "/" + number
}

// status sets the status of a deployment.
func (w *fakeECS) status(service, number string, status types.ServiceDeploymentStatus, reason string) {
	d := w.deployments[w.arnOf(service, number)]
	d.Status, d.StatusReason = status, aws.String(reason)
	w.deployments[w.arnOf(service, number)] = d
}

// primary changes the primary deployment of a service.
func (w *fakeECS) primary(service string, change func(*types.Deployment)) {
	s := w.services[service]
	s.Deployments = slices.Clone(s.Deployments)
	change(&s.Deployments[0])
	w.services[service] = s
}

// event adds an event, newest first as in ECS.
func (w *fakeECS) event(service, id, text string) {
	s := w.services[service]
	s.Events = append([]types.ServiceEvent{event(service, id, time.Now(), text)}, s.Events...)
	w.services[service] = s
}

func event(service, id string, at time.Time, text string) types.ServiceEvent {
	return types.ServiceEvent{Id: aws.String(id), CreatedAt: aws.Time(at), Message: aws.String("(service " + service + ") " + text)}
}

// run adds a running task.
func (w *fakeECS) run(service, id, startedBy, digest string) {
	c := types.Container{Name: aws.String("web"), LastStatus: aws.String("RUNNING")}
	if digest != "" {
		c.ImageDigest = aws.String(digest)
	}
	w.tasks[service] = append(slices.Clone(w.tasks[service]), types.Task{
		TaskArn: aws.String(accountPrefix + "task/shop/" + id), StartedBy: aws.String(startedBy),
		DesiredStatus: aws.String("RUNNING"), LastStatus: aws.String("RUNNING"), Containers: []types.Container{c},
		CreatedAt: aws.Time(time.Now()), StartedAt: aws.Time(time.Now()),
	})
}

// stop adds a stopped task whose container exited.
func (w *fakeECS) stop(service, id, startedBy string, exit int32) {
	w.tasks[service] = append(slices.Clone(w.tasks[service]), types.Task{
		TaskArn: aws.String(accountPrefix + "task/shop/" + id), StartedBy: aws.String(startedBy),
		DesiredStatus: aws.String("STOPPED"), LastStatus: aws.String("STOPPED"),
		StopCode: types.TaskStopCodeEssentialContainerExited, StoppedReason: aws.String("Essential container in task exited"),
		Containers: []types.Container{{Name: aws.String("web"), ExitCode: aws.Int32(exit)}},
		CreatedAt:  aws.Time(time.Now()), StartedAt: aws.Time(time.Now()), StoppedAt: aws.Time(time.Now().Add(time.Second)),
	})
}

// forget takes a task away.
func (w *fakeECS) forget(service, id string) {
	w.tasks[service] = slices.DeleteFunc(slices.Clone(w.tasks[service]), func(t types.Task) bool {
		return strings.HasSuffix(*t.TaskArn, "/"+id)
	})
}

func (w *fakeECS) GetLogEvents(ctx context.Context, in *cloudwatchlogs.GetLogEventsInput, options ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetLogEventsOutput, error) {
	err := w.call(ctx, "GetLogEvents")
	defer w.mu.Unlock()
	if err != nil {
		return nil, err
	}
	var o cloudwatchlogs.Options
	for _, set := range options {
		set(&o)
	}
	return logPage(w.logs[o.Region+" "+*in.LogGroupName+" "+*in.LogStreamName], in), nil
}

// progressRecorder collects what a Follower reports.
type progressRecorder struct {
	mu   sync.Mutex
	list []Progress
	at   []time.Time
}

func (n *progressRecorder) report(p Progress) {
	// A second goroutine would be a mistake: TryLock tells.
	if !n.mu.TryLock() {
		panic("reported from two goroutines at once")
	}
	defer n.mu.Unlock()
	n.list = append(n.list, p)
	n.at = append(n.at, time.Now())
}

func (n *progressRecorder) texts(kind ProgressKind) []string {
	var texts []string
	for _, p := range n.list {
		if p.Kind == kind {
			texts = append(texts, p.Text)
		}
	}
	return texts
}

func wantTexts(t *testing.T, n *progressRecorder, kind ProgressKind, want ...string) {
	t.Helper()
	if got := n.texts(kind); !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", kind, got, want)
	}
}
