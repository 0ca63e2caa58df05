package sandbox_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// small is a template with a resource of each service that makes them.
const small = `
Parameters:
  Path: {Type: String, Default: /health}
  Token: {Type: String, NoEcho: true}
Resources:
  Cluster: {Type: "AWS::ECS::Cluster", Properties: {ClusterName: !Ref AWS::StackName}}
  Logs: {Type: "AWS::Logs::LogGroup", Properties: {LogGroupName: !Sub "/ecs/${AWS::StackName}"}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: ecs-tasks.amazonaws.com}, Action: "sts:AssumeRole"}]
  Group:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties: {TargetType: ip, HealthCheckPath: !Ref Path}
  Secret: {Type: "AWS::SecretsManager::Secret", Properties: {}}
Outputs:
  Cluster: {Value: !Ref Cluster}
  Logs: {Value: !Ref Logs, Export: {Name: !Sub "${AWS::StackName}-Logs"}}
  Role: {Value: !GetAtt Role.Arn}
  Group: {Value: !Ref Group}
  Secret: {Value: !Ref Secret}
`

// deployment is a use of CloudFormation by change sets.
type deployment struct {
	t      *testing.T
	client *cloudformation.Client
}

func startDeployment(t *testing.T) (*sandbox.Server, deployment) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	return s, deployment{t, cloudformation.NewFromConfig(testkit.AWSConfig(s.URL()))}
}

// create makes a change set. A parameter without a value keeps the one of the stack.
func (d deployment) create(kind types.ChangeSetType, stack, template string, parameters ...string) (*cloudformation.DescribeChangeSetOutput, error) {
	d.t.Helper()
	in := &cloudformation.CreateChangeSetInput{
		StackName: &stack, ChangeSetName: aws.String("change"), ChangeSetType: kind, TemplateBody: &template,
		Capabilities: []types.Capability{types.CapabilityCapabilityIam},
	}
	for _, p := range parameters {
		name, value, given := strings.Cut(p, "=")
		entry := types.Parameter{ParameterKey: &name, UsePreviousValue: aws.Bool(!given)}
		if given {
			entry.ParameterValue = &value
		}
		in.Parameters = append(in.Parameters, entry)
	}
	made, err := d.client.CreateChangeSet(d.t.Context(), in)
	if err != nil {
		return nil, err
	}
	return d.client.DescribeChangeSet(d.t.Context(), &cloudformation.DescribeChangeSetInput{ChangeSetName: made.Id})
}

// deploy executes a change set and returns the stack.
func (d deployment) deploy(kind types.ChangeSetType, stack, template string, parameters ...string) types.Stack {
	d.t.Helper()
	change, err := d.create(kind, stack, template, parameters...)
	if err != nil || change.Status != types.ChangeSetStatusCreateComplete {
		d.t.Fatalf("the change set of %s is %+v, %v, want CREATE_COMPLETE", stack, change, err)
	}
	if _, err := d.client.ExecuteChangeSet(d.t.Context(), &cloudformation.ExecuteChangeSetInput{ChangeSetName: change.ChangeSetId}); err != nil {
		d.t.Fatal(err)
	}
	return d.stack(stack)
}

func (d deployment) stack(name string) types.Stack {
	d.t.Helper()
	out, err := d.client.DescribeStacks(d.t.Context(), &cloudformation.DescribeStacksInput{StackName: &name})
	if err != nil {
		d.t.Fatal(err)
	}
	return out.Stacks[0]
}

func outputsOf(s types.Stack) map[string]string {
	out := map[string]string{}
	for _, o := range s.Outputs {
		out[*o.OutputKey] = *o.OutputValue
	}
	return out
}

// TestStackResources: a stack makes its resources in the sandbox's services.
func TestStackResources(t *testing.T) {
	t.Parallel()
	s, d := startDeployment(t)
	config := testkit.AWSConfig(s.URL())
	stack := d.deploy(types.ChangeSetTypeCreate, "shop", small, "Token=hidden")
	if stack.StackStatus != types.StackStatusCreateComplete {
		t.Errorf("the stack is in %s, want CREATE_COMPLETE", stack.StackStatus)
	}
	for _, p := range stack.Parameters {
		if want := map[string]string{"Path": "/health", "Token": "****"}[*p.ParameterKey]; *p.ParameterValue != want {
			t.Errorf("the parameter %s is %s, want %s", *p.ParameterKey, *p.ParameterValue, want)
		}
	}
	out := outputsOf(stack)
	clusters, err := ecs.NewFromConfig(config).DescribeClusters(t.Context(), &ecs.DescribeClustersInput{Clusters: []string{out["Cluster"]}})
	if err != nil || len(clusters.Clusters) != 1 {
		t.Errorf("the cluster is %+v, %v", clusters, err)
	}
	groups, err := cloudwatchlogs.NewFromConfig(config).DescribeLogGroups(t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{})
	if err != nil || len(groups.LogGroups) != 1 || *groups.LogGroups[0].LogGroupName != "/ecs/shop" {
		t.Errorf("the log groups are %+v, %v, want /ecs/shop", groups, err)
	}
	role, err := iam.NewFromConfig(config).GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String(out["Role"][strings.LastIndex(out["Role"], "/")+1:])})
	if err != nil || *role.Role.Arn != out["Role"] || !strings.Contains(*role.Role.AssumeRolePolicyDocument, "ecs-tasks.amazonaws.com") {
		t.Errorf("the role is %+v, %v", role, err)
	}
	secret, err := secretsmanager.NewFromConfig(config).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String(out["Secret"])})
	if err != nil || *secret.ARN != out["Secret"] || *secret.SecretString == "" {
		t.Errorf("the secret %s is %+v, %v", out["Secret"], secret, err)
	}
	d.checkHealthPath(s, out["Group"], "/health")
	changed := d.deploy(types.ChangeSetTypeUpdate, "shop", small, "Token", "Path=/ready")
	if after := outputsOf(changed); changed.StackStatus != types.StackStatusUpdateComplete || after["Secret"] != out["Secret"] {
		t.Errorf("the changed stack is in %s with %v, want UPDATE_COMPLETE and the same secret", changed.StackStatus, after)
	}
	d.checkHealthPath(s, out["Group"], "/ready")
}

func (d deployment) checkHealthPath(s *sandbox.Server, group, want string) {
	d.t.Helper()
	client := elasticloadbalancingv2.NewFromConfig(testkit.AWSConfig(s.URL()))
	out, err := client.DescribeTargetGroups(d.t.Context(), &elasticloadbalancingv2.DescribeTargetGroupsInput{TargetGroupArns: []string{group}})
	if err != nil {
		d.t.Fatal(err)
	}
	if got := *out.TargetGroups[0].HealthCheckPath; got != want {
		d.t.Errorf("the health check of the target group is %s, want %s", got, want)
	}
}

// TestChangeSetsFail: a change set without changes, or with an import that no stack
// exports, fails and cannot be executed.
func TestChangeSetsFail(t *testing.T) {
	t.Parallel()
	_, d := startDeployment(t)
	d.deploy(types.ChangeSetTypeCreate, "shop", small, "Token=a")
	same, err := d.create(types.ChangeSetTypeUpdate, "shop", small, "Token", "Path")
	if err != nil || same.Status != types.ChangeSetStatusFailed || !strings.Contains(*same.StatusReason, "didn't contain changes") {
		t.Fatalf("the same change is %+v, %v, want FAILED", same, err)
	}
	_, err = d.client.ExecuteChangeSet(t.Context(), &cloudformation.ExecuteChangeSetInput{ChangeSetName: same.ChangeSetId})
	wantCode(t, err, "InvalidChangeSetStatus")
	if got := d.stack("shop").StackStatus; got != types.StackStatusCreateComplete {
		t.Errorf("the stack is in %s after a change set that failed", got)
	}

	importing := `{"Resources": {"Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": {"Fn::ImportValue": "site-Logs"}}}}}`
	missing, err := d.create(types.ChangeSetTypeCreate, "other", importing)
	if err != nil || missing.Status != types.ChangeSetStatusFailed || *missing.StatusReason != "No export named site-Logs found" {
		t.Errorf("the change set with an import is %+v, %v, want that it fails", missing, err)
	}
	if got := d.stack("other").StackStatus; got != types.StackStatusReviewInProgress {
		t.Errorf("the stack is in %s, want REVIEW_IN_PROGRESS", got)
	}
	d.deploy(types.ChangeSetTypeCreate, "site", small, "Token=a")
	d.deploy(types.ChangeSetTypeCreate, "other", importing)
}

// run executes a change set and returns the stack, whatever its status.
func (d deployment) run(kind types.ChangeSetType, stack, template string) types.Stack {
	d.t.Helper()
	change, err := d.create(kind, stack, template)
	if err == nil {
		_, err = d.client.ExecuteChangeSet(d.t.Context(), &cloudformation.ExecuteChangeSetInput{ChangeSetName: change.ChangeSetId})
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return d.stack(stack)
}

// logsNamed is a template with a log group and an export.
func logsNamed(name, export string) string {
	return `{"Resources": {"Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "` + name + `"}}},
		"Outputs": {"Logs": {"Value": {"Ref": "Logs"}, "Export": {"Name": "` + export + `"}}}}`
}

// TestStacksRollBack: a stack is rolled back if a service refuses a resource, or if it
// changes an export in use.
func TestStacksRollBack(t *testing.T) {
	t.Parallel()
	_, d := startDeployment(t)
	importing := `{"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": {"Fn::ImportValue": "Logs"}}}}}`
	want := func(got types.Stack, status types.StackStatus, reason string) {
		t.Helper()
		if got.StackStatus != status || !strings.Contains(aws.ToString(got.StackStatusReason), reason) {
			t.Errorf("the stack is in %s, %q, want %s, %q", got.StackStatus, aws.ToString(got.StackStatusReason), status, reason)
		}
	}
	want(d.run(types.ChangeSetTypeCreate, "bad", logsNamed("a b", "Bad")), types.StackStatusRollbackComplete, "Logs: InvalidParameterException")
	want(d.run(types.ChangeSetTypeCreate, "logs", logsNamed("a", "Logs")), types.StackStatusCreateComplete, "")
	want(d.run(types.ChangeSetTypeCreate, "twice", logsNamed("b", "Logs")), types.StackStatusRollbackComplete, "Logs is already exported")
	want(d.run(types.ChangeSetTypeCreate, "user", importing), types.StackStatusCreateComplete, "")
	want(d.run(types.ChangeSetTypeUpdate, "logs", logsNamed("b", "Logs")), types.StackStatusUpdateRollbackComplete, "Logs cannot be updated as it is in use by user")
	want(d.run(types.ChangeSetTypeUpdate, "logs", logsNamed("a", "Other")), types.StackStatusUpdateRollbackComplete, "Logs cannot be deleted as it is in use by user")
	if got := outputsOf(d.stack("logs"))["Logs"]; got != "a" {
		t.Errorf("after two rollbacks the output is %s, want a", got)
	}
	remove := func(name string) error {
		_, err := d.client.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: &name})
		return err
	}
	wantCode(t, remove("logs"), "ValidationError")
	for _, name := range []string{"user", "logs", "bad", "none"} {
		if err := remove(name); err != nil {
			t.Errorf("deleting %s: %v", name, err)
		}
	}
	want(d.run(types.ChangeSetTypeCreate, "logs", logsNamed("b", "Logs")), types.StackStatusCreateComplete, "")
}

// TestChangeSetsRefused: CloudFormation refuses requests with its own texts.
func TestChangeSetsRefused(t *testing.T) {
	t.Parallel()
	s, d := startDeployment(t)
	d.deploy(types.ChangeSetTypeCreate, "shop", small, "Token=a")
	s.SetStack("failed", sandbox.Stack{Status: "ROLLBACK_COMPLETE"})
	for _, x := range []struct {
		kind            types.ChangeSetType
		stack, template string
		parameters      []string
		want            string
	}{
		{types.ChangeSetTypeCreate, "shop", small, nil, "Stack [shop] already exists"},
		{types.ChangeSetTypeUpdate, "none", small, nil, "Stack [none] does not exist"},
		{types.ChangeSetTypeUpdate, "failed", small, nil, "is in ROLLBACK_COMPLETE state and can not be updated"},
		{types.ChangeSetTypeUpdate, "shop", small, nil, "Parameters: [Token] must have values"},
		{types.ChangeSetTypeUpdate, "shop", small, []string{"Token", "B=1", "A=1"}, "Parameters: [A, B] do not exist in the template"},
		{types.ChangeSetTypeUpdate, "shop", small, []string{"Other"}, "Cannot specify usePreviousValue"},
		{types.ChangeSetTypeCreate, "new", strings.Replace(small, "AWS::ECS::Cluster", "AWS::ECS::Express", 1), nil, "Unrecognized resource types: [AWS::ECS::Express]"},
	} {
		if _, err := d.create(x.kind, x.stack, x.template, x.parameters...); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s of %s %q: %v, want %q", x.kind, x.stack, x.parameters, err, x.want)
		}
	}
	_, err := d.client.CreateChangeSet(t.Context(), &cloudformation.CreateChangeSetInput{
		StackName: aws.String("new"), ChangeSetName: aws.String("c"), ChangeSetType: types.ChangeSetTypeCreate, TemplateBody: aws.String(small),
	})
	wantCode(t, err, "InsufficientCapabilitiesException")
	_, err = d.client.DescribeChangeSet(t.Context(), &cloudformation.DescribeChangeSetInput{StackName: aws.String("shop"), ChangeSetName: aws.String("other")})
	wantCode(t, err, "ChangeSetNotFound")
}
