package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

func ecsClient(s *sandbox.Server, region string) *ecs.Client {
	config := testkit.AWSConfig(s.URL())
	config.Region = region
	return ecs.NewFromConfig(config)
}

// ecsFixture is a sandbox with a cluster and a repository, both called shop. Time
// passes by Advance alone, apart from the moments that the test itself takes.
type ecsFixture struct {
	*testing.T
	s    *sandbox.Server
	ecs  *ecs.Client
	ecr  *ecr.Client
	uri  string
	auth remote.Option
}

func newECSFixture(t *testing.T, o sandbox.Options) *ecsFixture {
	t.Helper()
	s := testkit.StartSandbox(t, o)
	c := &ecsFixture{T: t, s: s, ecs: ecsClient(s, "us-east-1"), ecr: client(s, "us-east-1")}
	c.uri, c.auth = create(t, c.ecr, "shop"), login(t, c.ecr)
	if _, err := c.ecs.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: aws.String("shop")}); err != nil {
		t.Fatal(err)
	}
	return c
}

// push pushes an image with labels ("name=value") under a tag.
func (c *ecsFixture) push(tag string, labels ...string) string {
	c.Helper()
	return push(c.T, c.uri+":"+tag, c.image("amd64", labels...), c.auth)
}

func (c *ecsFixture) image(arch string, labels ...string) v1.Image {
	c.Helper()
	img := randomImage(c.T)
	config, err := img.ConfigFile()
	if err != nil {
		c.Fatal(err)
	}
	config = config.DeepCopy()
	config.Architecture, config.OS, config.Config.Labels = arch, "linux", map[string]string{}
	for _, l := range labels {
		name, value, _ := strings.Cut(l, "=")
		config.Config.Labels[name] = value
	}
	if img, err = mutate.ConfigFile(img, config); err != nil {
		c.Fatal(err)
	}
	return img
}

// web is a container definition called web that runs an image.
func (c *ecsFixture) web(image string, change ...func(*types.ContainerDefinition)) types.ContainerDefinition {
	d := types.ContainerDefinition{Name: aws.String("web"), Image: &image, Memory: aws.Int32(128)}
	for _, f := range change {
		f(&d)
	}
	return d
}

func (c *ecsFixture) define(containers ...types.ContainerDefinition) string {
	c.Helper()
	out, err := c.ecs.RegisterTaskDefinition(c.Context(), &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("shop"), ContainerDefinitions: containers, ExecutionRoleArn: aws.String("arn:aws:iam::000000000000:role/execution"),
	})
	if err != nil {
		c.Fatal(err)
	}
	return *out.TaskDefinition.TaskDefinitionArn
}

// create makes the service shop and waits until its first deployment ended.
func (c *ecsFixture) create(definition string, desired int32, change ...func(*ecs.CreateServiceInput)) {
	c.Helper()
	in := &ecs.CreateServiceInput{Cluster: aws.String("shop"), ServiceName: aws.String("shop"), TaskDefinition: &definition, DesiredCount: &desired}
	for _, f := range change {
		f(in)
	}
	if _, err := c.ecs.CreateService(c.Context(), in); err != nil {
		c.Fatal(err)
	}
	if in.DeploymentController == nil {
		if got := c.wait(); got.Status != types.ServiceDeploymentStatusSuccessful {
			c.Fatalf("creating the service: %s: %s, want %v", got.Status, aws.ToString(got.StatusReason), types.ServiceDeploymentStatusSuccessful)
		}
	}
}

func breaker(rollback bool) func(*ecs.CreateServiceInput) {
	return func(in *ecs.CreateServiceInput) {
		in.DeploymentConfiguration = &types.DeploymentConfiguration{
			DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true, Rollback: rollback},
		}
	}
}

// update begins a deployment of a task definition, or a forced one if it is "".
func (c *ecsFixture) update(definition string) types.Service {
	c.Helper()
	in := &ecs.UpdateServiceInput{Cluster: aws.String("shop"), Service: aws.String("shop"), ForceNewDeployment: true}
	if definition != "" {
		in.TaskDefinition = &definition
	}
	out, err := c.ecs.UpdateService(c.Context(), in)
	if err != nil {
		c.Fatal(err)
	}
	return *out.Service
}

func (c *ecsFixture) service() types.Service {
	c.Helper()
	out, err := c.ecs.DescribeServices(c.Context(), &ecs.DescribeServicesInput{
		Cluster: aws.String("shop"), Services: []string{"shop"}, Include: []types.ServiceField{types.ServiceFieldTags},
	})
	if err != nil || len(out.Services) != 1 {
		c.Fatalf("describing the service: %+v, %v", out, err)
	}
	return out.Services[0]
}

// deployments lists the service deployments, newest first.
func (c *ecsFixture) deployments() []types.ServiceDeploymentBrief {
	c.Helper()
	out, err := c.ecs.ListServiceDeployments(c.Context(), &ecs.ListServiceDeploymentsInput{Cluster: aws.String("shop"), Service: aws.String("shop")})
	if err != nil {
		c.Fatal(err)
	}
	return out.ServiceDeployments
}

func (c *ecsFixture) deployment(arn string) types.ServiceDeployment {
	c.Helper()
	out, err := c.ecs.DescribeServiceDeployments(c.Context(), &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{arn}})
	if err != nil || len(out.ServiceDeployments) != 1 {
		c.Fatalf("describing the deployment: %+v, %v", out, err)
	}
	return out.ServiceDeployments[0]
}

func (c *ecsFixture) revision(arn string) types.ServiceRevision {
	c.Helper()
	out, err := c.ecs.DescribeServiceRevisions(c.Context(), &ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: []string{arn}})
	if err != nil || len(out.ServiceRevisions) != 1 {
		c.Fatalf("describing the revision: %+v, %v", out, err)
	}
	return out.ServiceRevisions[0]
}

// slow changes the speed of ECS: with little of it, the moments that the test
// itself takes do not count, and a short state is not missed.
func (c *ecsFixture) slow(speed float64) {
	c.Helper()
	if err := c.s.SetECSSpeed(speed); err != nil {
		c.Fatal(err)
	}
}

// wait lets time pass until the newest service deployment has ended.
func (c *ecsFixture) wait() types.ServiceDeployment {
	c.Helper()
	arn := aws.ToString(c.service().CurrentServiceDeployment)
	return c.waitFor(arn, func(d types.ServiceDeployment) bool { return d.FinishedAt != nil })
}

// waitFor lets time pass, at most an hour, until a deployment is as wanted.
func (c *ecsFixture) waitFor(arn string, done func(types.ServiceDeployment) bool) types.ServiceDeployment {
	c.Helper()
	var d types.ServiceDeployment
	for range 3600 {
		c.s.Advance(time.Second)
		if d = c.deployment(arn); done(d) {
			return d
		}
	}
	c.Fatalf("the deployment is not as wanted after an hour: %+v", d)
	return d
}

// tasks describes the tasks of the service by desired status.
func (c *ecsFixture) tasks(status types.DesiredStatus) []types.Task {
	c.Helper()
	var out []types.Task
	pages := ecs.NewListTasksPaginator(c.ecs, &ecs.ListTasksInput{Cluster: aws.String("shop"), ServiceName: aws.String("shop"), DesiredStatus: status})
	for pages.HasMorePages() {
		page, err := pages.NextPage(c.Context())
		if err != nil {
			c.Fatal(err)
		}
		if len(page.TaskArns) == 0 {
			continue
		}
		described, err := c.ecs.DescribeTasks(c.Context(), &ecs.DescribeTasksInput{Cluster: aws.String("shop"), Tasks: page.TaskArns})
		if err != nil || len(described.Failures) > 0 {
			c.Fatalf("describing tasks: %+v, %v", described, err)
		}
		out = append(out, described.Tasks...)
	}
	return out
}

// wantEvent fails unless an event of the service holds the text.
func (c *ecsFixture) wantEvent(text string) {
	c.Helper()
	var all []string
	for _, e := range c.service().Events {
		if strings.Contains(*e.Message, text) {
			return
		}
		all = append(all, *e.Message)
	}
	c.Errorf("no event with %q in:\n%s", text, strings.Join(all, "\n"))
}

// wantRunning fails unless web runs with just this digest, n times.
func (c *ecsFixture) wantRunning(digest string, n int) {
	c.Helper()
	got := c.s.RunningDigests("shop", "shop")["web"]
	if len(got) != n {
		c.Errorf("%d tasks run, want %d", len(got), n)
	}
	for _, d := range got {
		if d != digest {
			c.Errorf("running digests are %v, want %s only", got, digest)
		}
	}
}
