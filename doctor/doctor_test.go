package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/smithy-go"

	"slipway/artifact"
	"slipway/build/engine"
	"slipway/build/solve"
	"slipway/buildspec/iam"
	"slipway/internal/fault"
	"slipway/registry"
	"slipway/registry/lifecycle"
	"slipway/registry/revisions"
	"slipway/retention"
	"slipway/rollout/task"
)

func TestBrokenCodes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want fault.Kind
	}{
		{fault.New(fault.Usage, errors.New("x"), ""), fault.Input},
		{fault.NewInput("x", "y", "z"), fault.Input},
		{fault.As(fault.AWS, errors.New("x")), fault.AWS},
		{&engine.NotFoundError{}, fault.Other},
		{&solve.PullError{Status: 404, Err: errors.New("x")}, fault.Other},
		{context.Canceled, fault.Other},
	} {
		if got := broken(c.err); got.Kind != c.want || got.Status != StatusFailed {
			t.Errorf("%v: %+v, want %d", c.err, got, c.want)
		}
	}
}

// TestStuckCheck: a check that does not mind its context holds nobody up.
func TestStuckCheck(t *testing.T) {
	t.Parallel()
	stuck := make(chan struct{})
	defer close(stuck)
	d := &doctor{options: Options{Limit: time.Millisecond}}
	got := d.examine(t.Context(), []check{
		{name: "stuck", run: func(context.Context) []Finding { <-stuck; return nil }},
		{name: "other", run: func(context.Context) []Finding { return []Finding{Fine("done")} }},
	})
	if len(got) != 2 || got[0].Status != StatusFailed || got[0].Check != "stuck" || got[1].Detail != "done" {
		t.Errorf("got %+v, want stuck failed and done", got)
	}
}

func TestClockFinding(t *testing.T) {
	t.Parallel()
	for ahead, want := range map[time.Duration]Status{
		0: StatusOK, 59 * time.Second: StatusOK, -time.Minute: StatusOK,
		-2 * time.Minute: StatusWarning, 5 * time.Minute: StatusWarning,
		6 * time.Minute: StatusFailed, -time.Hour: StatusFailed,
	} {
		got := clockFinding(ahead)
		if got.Status != want || want == StatusFailed && got.Kind != fault.AWS {
			t.Errorf("%s: %+v, want %s", ahead, got, want)
		}
		if word := map[bool]string{true: "ahead", false: "behind"}[ahead > 0]; want != StatusOK && !strings.Contains(got.Detail, word) {
			t.Errorf("a clock that is off by %s: %s, want %s", ahead, got.Detail, word)
		}
	}
}

type oneRole struct{ err error }

func (r oneRole) GetRole(_ context.Context, in *awsiam.GetRoleInput, _ ...func(*awsiam.Options)) (*awsiam.GetRoleOutput, error) {
	if r.err != nil {
		return nil, r.err
	}
	return &awsiam.GetRoleOutput{Role: &types.Role{Arn: aws.String("arn:aws:iam::1:role/path/" + *in.RoleName)}}, nil
}

func TestPrincipalOf(t *testing.T) {
	t.Parallel()
	known, secret, gone := oneRole{}, oneRole{&smithy.GenericAPIError{Code: "AccessDenied"}}, oneRole{&types.NoSuchEntityException{}}
	for _, c := range []struct {
		caller string
		roles  oneRole
		want   string
	}{
		{"arn:aws:iam::1:user/me", known, "arn:aws:iam::1:user/me"},
		{"arn:aws:iam::1:root", known, "arn:aws:iam::1:root"},
		{"arn:aws:sts::1:assumed-role/build/job", known, "arn:aws:iam::1:role/path/build"},
		{"arn:aws-cn:sts::1:assumed-role/build/job", secret, "arn:aws-cn:iam::1:role/build"},
		{"arn:aws:sts::1:assumed-role/build/job", gone, ""},
		{"arn:aws:sts::1:federated-user/me", known, ""},
		{"nobody", known, ""},
	} {
		got, err := principalOf(t.Context(), c.roles, c.caller)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v, want %q", c.caller, got, err, c.want)
		}
	}
}

// TestDenials: IAM answers for all resources together, or one by one.
func TestDenials(t *testing.T) {
	t.Parallel()
	const deny, allow = types.PolicyEvaluationDecisionTypeImplicitDeny, types.PolicyEvaluationDecisionTypeAllowed
	for _, c := range []struct {
		result types.EvaluationResult
		want   string
	}{
		{types.EvaluationResult{EvalDecision: allow, EvalResourceName: aws.String("*")}, "[]"},
		{types.EvaluationResult{EvalDecision: deny, EvalResourceName: aws.String("a")}, "[{a }]"},
		{types.EvaluationResult{EvalDecision: types.PolicyEvaluationDecisionTypeExplicitDeny, EvalResourceName: aws.String("a")}, "[{a by a policy that says Deny}]"},
		{types.EvaluationResult{EvalDecision: deny, EvalResourceName: aws.String("a"), OrganizationsDecisionDetail: &types.OrganizationsDecisionDetail{}}, "[{a by a service control policy of the organization}]"},
		{types.EvaluationResult{EvalDecision: deny, EvalResourceName: aws.String("a"), PermissionsBoundaryDecisionDetail: &types.PermissionsBoundaryDecisionDetail{}}, "[{a by the permissions boundary}]"},
		{types.EvaluationResult{EvalDecision: deny, ResourceSpecificResults: []types.ResourceSpecificResult{
			{EvalResourceDecision: allow, EvalResourceName: aws.String("a")}, {EvalResourceDecision: deny, EvalResourceName: aws.String("b")},
		}}, "[{b }]"},
	} {
		if got := fmt.Sprint(denials(c.result)); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
	text := denialText([]denial{{"arn:aws:ecr:r:1:repository/b", "by x"}, {"arn:aws:ecr:r:1:repository/a", "by x"}, {"*", ""}})
	if text != "denied by x on repository/a, repository/b" {
		t.Errorf("denialText = %q, want the repositories in order", text)
	}
}

func TestSimulationOf(t *testing.T) {
	t.Parallel()
	open := iam.Statement{Action: []string{"iam:PassRole"}, Resource: []string{"arn:aws:iam::1:role/ROLE"}}
	if !placeholder(open) || !placeholder(iam.Statement{Resource: []string{"arn:aws:ecr:REGION:1:repository/a"}}) {
		t.Error("a placeholder would be asked about")
	}
	narrow := iam.Statement{Action: []string{"ecs:ListTasks"}, Resource: []string{"*"}, Condition: iam.Condition{"ArnEquals": {"ecs:cluster": {"arn:one", "arn:two"}}}}
	if placeholder(narrow) {
		t.Error("* is no placeholder")
	}
	in := simulationOf("arn:who", narrow)
	if in.ResourceArns != nil || len(in.ContextEntries) != 1 || *in.ContextEntries[0].ContextKeyName != "ecs:cluster" || len(in.ContextEntries[0].ContextKeyValues) != 1 {
		t.Errorf("simulationOf = %+v, want no resources and one value of ecs:cluster", in)
	}
}

func TestBucketFinding(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		bucket artifact.Bucket
		err    error
		want   Status
	}{
		{artifact.Bucket{Versioned: true}, nil, StatusOK},
		{artifact.Bucket{}, nil, StatusWarning},
		{artifact.Bucket{Unseen: errors.New("denied")}, nil, StatusUnchecked},
		{artifact.Bucket{}, &artifact.BucketError{Status: 403}, StatusUnchecked},
		{artifact.Bucket{}, &artifact.BucketError{Status: 301}, StatusFailed},
		{artifact.Bucket{}, &artifact.BucketError{Status: 404}, StatusFailed},
	} {
		if got := bucketFinding(c.bucket, c.err); got.Status != c.want || got.Status == StatusFailed && got.Kind != fault.AWS {
			t.Errorf("%+v, %v: %+v, want %s", c.bucket, c.err, got, c.want)
		}
	}
}

func TestPolicyFinding(t *testing.T) {
	t.Parallel()
	of := func(before string, o lifecycle.Outcome) retention.State {
		return retention.State{RetentionResult: registry.RetentionResult{Before: before, Outcome: o}}
	}
	for _, c := range []struct {
		r    retention.State
		want Status
		says string
	}{
		{of("{}", lifecycle.Outcome{}), StatusOK, "are there"},
		{of("", lifecycle.Outcome{Changed: true}), StatusOK, "none yet"},
		{of("{}", lifecycle.Outcome{Changed: true}), StatusOK, "will add"},
		{of("{}", lifecycle.Outcome{Changed: true, Dropped: []lifecycle.Rule{{}}}), StatusWarning, "drop 1 rule"},
		{retention.State{Clash: &lifecycle.ConflictError{}}, StatusWarning, "leave it alone"},
		{retention.State{Losses: []revisions.ImageDetail{{Tags: []string{"v42"}}}}, StatusWarning, "1 image would expire that no protecting tag keeps (v42)"},
	} {
		if got := policyFinding(c.r, 7); got.Status != c.want || !strings.Contains(got.Detail, c.says) {
			t.Errorf("%+v, want %s, %s", got, c.want, c.says)
		}
	}
}

func TestLackingPlatforms(t *testing.T) {
	t.Parallel()
	have := []string{"linux/amd64", "linux/arm64"}
	if got := lackingPlatforms([]string{"linux/amd64", "linux/arm64/v8", "linux/s390x"}, have); fmt.Sprint(got) != "[linux/s390x]" {
		t.Errorf("lackingPlatforms = %q, want linux/s390x", got)
	}
}

func TestBytesText(t *testing.T) {
	t.Parallel()
	for n, want := range map[uint64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 5 << 30: "5.0 GiB", 1 << 63: "8.0 EiB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestTrusts(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]bool{
		`{"Statement":{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}}`:                                            true,
		`{"Statement":[{"Effect":"Allow","Principal":{"Service":["ec2.amazonaws.com","ecs-tasks.amazonaws.com"]},"Action":["sts:TagSession","sts:AssumeRole"]}]}`: true,
		`{"Statement":[{"Effect":"Deny","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`:                                           false,
		`{"Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:TagSession"}]}`:                                          false,
		`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}]}`:                                       false,
		`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}`:                                                                            true, // not judged
		`not JSON`: true,
	} {
		if got := trusts(url.PathEscape(document)); got != want {
			t.Errorf("trusts(%s) = %v, want %v", document, got, want)
		}
	}
}

func TestTaskPlatform(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   task.Input
		want string
	}{
		{task.Input{RequiresCompatibilities: []string{"FARGATE"}}, "linux/amd64"},
		{task.Input{RequiresCompatibilities: []string{"EC2"}}, ""},
		{task.Input{RuntimePlatform: &task.Platform{CPUArchitecture: "ARM64", OperatingSystemFamily: "LINUX"}}, "linux/arm64"},
		{task.Input{RuntimePlatform: &task.Platform{CPUArchitecture: "X86_64", OperatingSystemFamily: "WINDOWS_SERVER_2022_CORE"}}, ""},
	} {
		if got := platformOf(c.in); got != c.want {
			t.Errorf("platformOf(%+v) = %q, want %q", c.in, got, c.want)
		}
	}
}

// TestExecutionActions: the resources of containers that share an execution role are put
// together, and names of the Parameter Store become ARNs.
func TestExecutionActions(t *testing.T) {
	t.Parallel()
	const role = "arn:aws-cn:iam::000000000000:role/execution"
	log := &task.Log{LogDriver: "awslogs", Options: map[string]string{"awslogs-group": "/ecs/shop", "awslogs-region": "cn-north-1", "awslogs-create-group": "true"}}
	found := foundTasks{uses: []taskUse{{Input: task.Input{ExecutionRoleARN: role, Containers: []task.Container{
		{Name: "web", Image: "111111111111.dkr.ecr.cn-north-1.amazonaws.com.cn/base:1", LogConfiguration: log, Secrets: []task.Secret{
			{Name: "A", ValueFrom: "arn:aws-cn:secretsmanager:cn-north-1:000000000000:secret:a-AbCdEf:key::"}, {Name: "B", ValueFrom: "/shop/b"},
		}},
		{Name: "proxy", Image: "nginx", LogConfiguration: log},
	}}}, {Input: task.Input{ExecutionRoleARN: "EXECUTION_ROLE_ARN"}}}}
	want := map[string]iam.Policy{role: {Statement: []iam.Statement{
		{Effect: "Allow", Action: []string{"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}, Resource: []string{"arn:aws-cn:ecr:cn-north-1:111111111111:repository/base"}},
		{Effect: "Allow", Action: []string{"ecr:GetAuthorizationToken"}, Resource: []string{"*"}},
		{Effect: "Allow", Action: []string{"logs:CreateLogGroup"}, Resource: []string{"arn:aws-cn:logs:cn-north-1:000000000000:log-group:/ecs/shop"}},
		{Effect: "Allow", Action: []string{"logs:CreateLogStream", "logs:PutLogEvents"}, Resource: []string{"arn:aws-cn:logs:cn-north-1:000000000000:log-group:/ecs/shop:log-stream:*"}},
		{Effect: "Allow", Action: []string{"secretsmanager:GetSecretValue"}, Resource: []string{"arn:aws-cn:secretsmanager:cn-north-1:000000000000:secret:a-AbCdEf"}},
		{Effect: "Allow", Action: []string{"ssm:GetParameters"}, Resource: []string{"arn:aws-cn:ssm:cn-north-1:000000000000:parameter/shop/b"}},
	}}}
	if got := found.executionActions("cn-north-1"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}
