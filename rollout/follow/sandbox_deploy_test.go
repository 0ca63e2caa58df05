package follow

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
	"slipway/rollout/ecs"
	"slipway/rollout/internal/fakeaws"
)

// ecsFixture is a sandbox with a cluster shop and a repository shop/web.
type ecsFixture struct {
	t          *testing.T
	server     *sandbox.Server
	config     aws.Config
	ecs        *awsecs.Client
	repository string
	auth       authn.Authenticator
}

func startFixture(t *testing.T, o sandbox.Options) *ecsFixture {
	t.Helper()
	server := testkit.StartSandbox(t, o)
	h := &ecsFixture{t: t, server: server, config: testkit.AWSConfig(server.URL())}
	h.ecs = awsecs.NewFromConfig(h.config)
	h.must(h.ecs.CreateCluster(t.Context(), &awsecs.CreateClusterInput{ClusterName: aws.String("shop")}))
	registry := ecr.NewFromConfig(h.config)
	made, err := registry.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("shop/web")})
	if err != nil {
		t.Fatal(err)
	}
	h.repository = *made.Repository.RepositoryUri
	h.auth = testkit.ECRLogin(t, registry)
	return h
}

func (h *ecsFixture) must(_ any, err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// push pushes a new image under tags and returns it as a want.
func (h *ecsFixture) push(tags ...string) ecs.DesiredImage {
	h.t.Helper()
	repository, err := name.NewRepository(h.repository)
	if err != nil {
		h.t.Fatal(err)
	}
	digest := testkit.PushImage(h.t, repository, h.auth, tags...)
	return ecs.DesiredImage{Image: h.repository + ":" + tags[0], Digests: []string{digest}}
}

// create makes a service of two tasks with a container web, and one that is not
// ours.
func (h *ecsFixture) create(service, image string, more func(*awsecs.CreateServiceInput)) ecs.Ref {
	h.t.Helper()
	h.must(h.ecs.RegisterTaskDefinition(h.t.Context(), &awsecs.RegisterTaskDefinitionInput{
		Family: &service, NetworkMode: types.NetworkModeAwsvpc, RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate},
		Cpu: aws.String("256"), Memory: aws.String("512"), ExecutionRoleArn: aws.String("arn:aws:iam::000000000000:role/execution"),
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("shop")}},
		ContainerDefinitions: []types.ContainerDefinition{
			{Name: aws.String("web"), Image: &image, Essential: aws.Bool(true), PortMappings: []types.PortMapping{{ContainerPort: aws.Int32(80)}}},
			{Name: aws.String("log"), Image: aws.String("public.ecr.aws/fluent:1"), Essential: aws.Bool(false)},
		},
	}))
	in := &awsecs.CreateServiceInput{
		Cluster: aws.String("shop"), ServiceName: &service, TaskDefinition: &service, DesiredCount: aws.Int32(2), LaunchType: types.LaunchTypeFargate,
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"subnet-1"}}},
	}
	if more != nil {
		more(in)
	}
	h.must(h.ecs.CreateService(h.t.Context(), in))
	ref := ecs.Ref{Cluster: "shop", Service: service}
	h.advance(10 * time.Minute)
	return ref
}

// advance lets time pass, in steps.
func (h *ecsFixture) advance(d time.Duration) {
	for range 20 {
		h.server.Advance(d / 20)
	}
}

func (h *ecsFixture) read(ref ecs.Ref) ecs.Service {
	h.t.Helper()
	services, err := ecs.Read(h.t.Context(), h.ecs, []ecs.Ref{ref})
	if err != nil {
		h.t.Fatal(err)
	}
	return services[0]
}

func (h *ecsFixture) decide(ref ecs.Ref, w ecs.DesiredImage) ecs.Change {
	h.t.Helper()
	c, err := ecs.Decide(h.read(ref), map[string]ecs.DesiredImage{"web": w}, false)
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// deploy deploys an image and wants the action that this takes.
func (h *ecsFixture) deploy(ref ecs.Ref, w ecs.DesiredImage, action ecs.Action) ecs.Deployment {
	h.t.Helper()
	c := h.decide(ref, w)
	if c.Action != action {
		h.t.Fatalf("to %s, because %s; want to %s", c.Action, c.Why, action)
	}
	d, err := ecs.Deploy(h.t.Context(), h.ecs, codedeploy.NewFromConfig(h.config), c)
	if err != nil {
		h.t.Fatal(err)
	}
	return d
}

// wantRunning fails the test unless the service runs the image and nothing is
// left to do.
func (h *ecsFixture) wantRunning(ref ecs.Ref, w ecs.DesiredImage) {
	h.t.Helper()
	s := h.read(ref)
	for digest := range s.Containers[0].Running {
		if !w.Has(digest) {
			h.t.Errorf("%s runs %v, want %v", ref, s.Containers[0].Running, w.Digests)
		}
	}
	if c := h.decide(ref, w); c.Action != ecs.Leave {
		h.t.Errorf("left to %s: %s", c.Action, c.Why)
	}
}

// quirks are the two extremes of what ECS does not document, and an ECS without
// the newest fields.
var quirks = map[string]sandbox.ECSQuirks{
	"as seen":        {},
	"otherwise":      {SeparateIDs: true, ListDelay: true, PlatformDigests: true, EarlySuccess: true, LateCurrent: true},
	"fields missing": {NoNewFields: true},
}

func TestDeployOnTheSandbox(t *testing.T) {
	for name, q := range quirks {
		t.Run(name, func(t *testing.T) {
			h := startFixture(t, sandbox.Options{ECS: q})
			first := h.push("a1", "latest")
			tagged, pinned := h.create("tagged", h.repository, nil), h.create("pinned", first.Image, nil)
			h.wantRunning(tagged, first)
			h.wantRunning(pinned, first)

			second := h.push("b2", "latest")
			h.wantRunning(tagged, first) // a moved tag alone changes nothing
			h.server.ResetCalls()
			h.deploy(tagged, second, ecs.Force)
			h.deploy(pinned, second, ecs.Register)
			writes := map[string]int{}
			for _, call := range h.server.Calls() {
				if call.Action == "UpdateService" || call.Action == "RegisterTaskDefinition" {
					writes[call.Action]++
				}
			}
			if want := map[string]int{"UpdateService": 2, "RegisterTaskDefinition": 1}; !maps.Equal(writes, want) {
				t.Errorf("writes %v, want %v", writes, want)
			}
			h.advance(10 * time.Minute)
			h.wantRunning(tagged, second)
			h.wantRunning(pinned, second)
			if s := h.read(pinned); s.Containers[0].Image != second.Image || s.Containers[1].Image != "public.ecr.aws/fluent:1" ||
				s.Definition.Name() != "pinned:2" || s.Definition.Tags[0].(fakeaws.Object)["value"] != "shop" {
				t.Errorf("registered %+v", s.Definition)
			}
			h.wantHistory([]ecs.Ref{tagged, pinned}, first)
		})
	}
}

// wantHistory wants the histories to offer a state in which all services run an
// image.
func (h *ecsFixture) wantHistory(refs []ecs.Ref, w ecs.DesiredImage) {
	h.t.Helper()
	var histories []ecs.History
	for _, ref := range refs {
		past, err := ecs.Successful(h.t.Context(), h.ecs, ref, 50)
		if err != nil {
			h.t.Fatal(err)
		}
		histories = append(histories, ecs.HistoryOf(h.read(ref), past, "web"))
	}
	states := slices.Collect(ecs.Previous(histories))
	if len(states) != len(refs) {
		h.t.Fatalf("%d states offered, want one after each step back: %v", len(states), states)
	}
	for _, ref := range refs {
		if last := states[len(states)-1]; !w.Has(last[ref]["web"]) {
			h.t.Errorf("state %v, want %v", last, w.Digests)
		}
	}
}

func TestStopDeploymentOnTheSandbox(t *testing.T) {
	for name, q := range quirks {
		t.Run(name, func(t *testing.T) {
			h := startFixture(t, sandbox.Options{ECS: q, ECSSpeed: 5})
			first := h.push("a1")
			ref := h.create("web", first.Image, nil)
			second := h.push("b2")
			d := h.deploy(ref, second, ecs.Register)
			if err := StopDeployment(t.Context(), h.ecs, nil, d); err != nil {
				t.Fatal(err)
			}
			if c := h.decide(ref, second); c.Action == ecs.Leave {
				t.Errorf("while it goes back, it was left alone: %s", c.Why)
			}
			h.advance(10 * time.Minute)
			h.wantRunning(ref, first)
			s := h.read(ref)
			if s.Deployments[0].Status != types.ServiceDeploymentStatusRollbackSuccessful {
				t.Errorf("deployments %+v, want %v", s.Deployments, types.ServiceDeploymentStatusRollbackSuccessful)
			}
			if h := ecs.HistoryOf(s, nil, "web"); !second.Has(h.Present["web"]) {
				t.Errorf("present %v, want the image that was stopped, %v", h.Present, second.Digests)
			}
		})
	}
}

func TestScaleOnTheSandbox(t *testing.T) {
	h := startFixture(t, sandbox.Options{ECSSpeed: 1000})
	image := h.push("a1")
	ref := h.create("web", image.Image, nil)
	settle := func() string {
		t.Helper()
		var last string
		if err := AwaitCounts(t.Context(), h.ecs, []ecs.Ref{ref}, Pauses{First: 5 * time.Millisecond}, func(p Progress) { last = p.Text }); err != nil {
			t.Fatal(err)
		}
		return last
	}
	for range 2 { // both can be repeated
		h.must(ecs.ScaleDown(t.Context(), h.ecs, h.read(ref)))
	}
	if got := settle(); got != "0 of 0 running, 0 pending" {
		t.Errorf("stopped: %s, want 0 of 0 running, 0 pending", got)
	}
	h.wantRunning(ref, image)
	images, err := ecs.Images(t.Context(), h.ecs, []ecs.Ref{ref})
	if err != nil || !image.Has(images[ref]["web"]) {
		t.Errorf("images of a stopped service: %v, %v", images, err)
	}
	for range 2 {
		h.must(ecs.ScaleUp(t.Context(), h.ecs, h.read(ref), -1))
	}
	if got := settle(); got != "2 of 2 running, 0 pending" {
		t.Errorf("started: %s, want 2 of 2 running, 0 pending", got)
	}
	if tags := h.read(ref).Raw.Tags; slices.ContainsFunc(tags, func(tag types.Tag) bool { return *tag.Key == ecs.TagDesiredCount }) {
		t.Errorf("the tags after the start are %v, want none that is %s", tags, ecs.TagDesiredCount)
	}
	h.wantRunning(ref, image)
	images, err = ecs.Images(t.Context(), h.ecs, []ecs.Ref{ref})
	if err != nil || !image.Has(images[ref]["web"]) {
		t.Errorf("images: %v, %v", images, err)
	}

	targets := applicationautoscaling.NewFromConfig(h.config)
	h.must(targets.RegisterScalableTarget(t.Context(), &applicationautoscaling.RegisterScalableTargetInput{
		ServiceNamespace: autoscalingtypes.ServiceNamespaceEcs, ScalableDimension: autoscalingtypes.ScalableDimensionECSServiceDesiredCount,
		ResourceId: aws.String("service/shop/web"), MinCapacity: aws.Int32(1), MaxCapacity: aws.Int32(4),
	}))
	ranges, err := ecs.Autoscaled(t.Context(), targets, []ecs.Ref{ref, {Cluster: "shop", Service: "other"}})
	if err != nil || !maps.Equal(ranges, map[ecs.Ref]ecs.ScalingLimits{ref: {Min: 1, Max: 4}}) {
		t.Errorf("ranges %v, %v", ranges, err)
	}
}

func TestCodeDeployOnTheSandbox(t *testing.T) {
	h := startFixture(t, sandbox.Options{})
	first := h.push("a1")
	ref := h.createForCodeDeploy("web", first.Image, "CodeDeployDefault.ECSLinear10PercentEvery1Minutes")
	deployer := codedeploy.NewFromConfig(h.config)
	second := h.push("b2")
	d := h.deploy(ref, second, ecs.Register) // the group is found by its name
	if !strings.HasPrefix(d.ID, "d-") || d.Wait != 9*time.Minute {
		t.Errorf("deployment %s, which takes %s", d.ID, d.Wait)
	}
	h.advance(time.Hour)
	h.wantRunning(ref, second)

	h.deploy(ref, first, ecs.Register) // by the deployment that made the task set
	h.advance(time.Minute)             // until there is a second task set, whose tasks run
	if running := h.read(ref).Containers[0].Running; len(running) != 1 || running[second.Digests[0]] != 2 {
		t.Errorf("running %v, want the tasks that serve", running)
	}
	if images, err := ecs.Images(t.Context(), h.ecs, []ecs.Ref{ref}); err != nil || !second.Has(images[ref]["web"]) {
		t.Errorf("images %v, %v", images, err)
	}
	c := h.decide(ref, second)
	if c.Action == ecs.Leave {
		t.Errorf("while another is under way: %s", c.Why)
	}
	_, err := ecs.Deploy(t.Context(), h.ecs, deployer, c)
	if want := "CodeDeploy group DgpECS-shop-web of application AppECS-shop-web has deployment d-"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
	h.advance(time.Hour)
	h.wantRunning(ref, first)
}

// The command again at every moment of its own deployment finds that one.
func TestCodeDeployAgainOnTheSandbox(t *testing.T) {
	h := startFixture(t, sandbox.Options{})
	first := h.push("a1")
	ref := h.createForCodeDeploy("web", first.Image, "CodeDeployDefault.ECSLinear10PercentEvery1Minutes")
	deployer := codedeploy.NewFromConfig(h.config)
	second := h.push("b2")
	d := h.deploy(ref, second, ecs.Register)
	for _, moment := range []time.Duration{0, 5 * time.Second, time.Minute, 3 * time.Minute, 7 * time.Minute} {
		h.advance(moment)
		h.server.ResetCalls()
		c := h.decide(ref, second)
		again, err := ecs.Deploy(t.Context(), h.ecs, deployer, c)
		if err != nil || again.ID != d.ID {
			t.Errorf("after %s: Deploy returned deployment %q, error %v, want %q", moment, again.ID, err, d.ID)
		}
		if err := ecs.Busy(t.Context(), h.ecs, deployer, c); err != nil {
			t.Error(err)
		}
		for _, call := range h.server.Calls() {
			if call.Action == "RegisterTaskDefinition" || call.Action == "CreateDeployment" {
				t.Errorf("after %s: called %s", moment, call.Action)
			}
		}
	}
	outcomes, _ := h.followAt(1, d)
	wantOutcome(t, outcomes[0], Succeeded, "CodeDeploy still keeps the old tasks")
}
