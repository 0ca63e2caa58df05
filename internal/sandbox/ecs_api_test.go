package sandbox_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// rawECS posts a request as it stands, for what the SDK would leave out.
func rawECS(t *testing.T, s *sandbox.Server, action, body string) map[string]any {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL(), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "AmazonEC2ContainerServiceV20141113."+action)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/ecs/aws4_request")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("the answer %s is not JSON: %v", raw, err)
	}
	return out
}

func TestTaskDefinitions(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c, ctx := ecsClient(s, "us-east-1"), t.Context()
	rawECS(t, s, "RegisterTaskDefinition", `{"family":"web","future":{"on":true},"containerDefinitions":[
		{"name":"web","image":"web:1","memory":64,"gizmo":[1,2.5]}],"tags":[{"key":"app","value":"shop"}]}`)
	out := rawECS(t, s, "DescribeTaskDefinition", `{"taskDefinition":"web","include":["TAGS"]}`)
	d, _ := out["taskDefinition"].(map[string]any)
	containers, _ := d["containerDefinitions"].([]any)
	if fmt.Sprint(d["future"]) != "map[on:true]" || len(containers) != 1 || !strings.Contains(fmt.Sprint(containers[0]), "gizmo:[1 2.5]") {
		t.Errorf("fields that nobody knows are lost: %v", d)
	}
	if fmt.Sprint(out["tags"]) != "[map[key:app value:shop]]" {
		t.Errorf("tags are %v, want [map[key:app value:shop]]", out["tags"])
	}
	register := func() *types.TaskDefinition {
		t.Helper()
		out, err := c.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{Family: aws.String("web"), ContainerDefinitions: []types.ContainerDefinition{
			{Name: aws.String("web"), Image: aws.String("web:2"), Memory: aws.Int32(64)},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return out.TaskDefinition
	}
	second := register()
	if second.Revision != 2 || *second.TaskDefinitionArn != "arn:aws:ecs:us-east-1:000000000000:task-definition/web:2" ||
		second.Status != types.TaskDefinitionStatusActive || !*second.ContainerDefinitions[0].Essential {
		t.Errorf("registered %+v", second)
	}
	third := register()
	if _, err := c.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: third.TaskDefinitionArn}); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]int32{"web": 2, "web:1": 1, "web:3": 3, *third.TaskDefinitionArn: 3} {
		got, err := c.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &id})
		if err != nil || got.TaskDefinition.Revision != want {
			t.Errorf("%s is %+v, %v, want revision %d", id, got, err, want)
		} else if inactive := got.TaskDefinition.Status == types.TaskDefinitionStatusInactive; inactive != (want == 3) {
			t.Errorf("%s is %s", id, got.TaskDefinition.Status)
		}
	}
	if fourth := register(); fourth.Revision != 4 {
		t.Errorf("a revision is used again: %d", fourth.Revision)
	}
	for order, want := range map[types.SortOrder]string{types.SortOrderAsc: "web:1 web:2 web:4", types.SortOrderDesc: "web:4 web:2 web:1"} {
		var got []string
		pages := ecs.NewListTaskDefinitionsPaginator(c, &ecs.ListTaskDefinitionsInput{Sort: order, MaxResults: aws.Int32(2)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, arn := range page.TaskDefinitionArns {
				got = append(got, lastPart(arn))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", order, got, want)
		}
	}
}

func TestTaskDefinitionsThatECSRefuses(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	for _, test := range []struct{ body, message string }{
		{`{}`, "Family should not be null"},
		{`{"family":"a b"}`, "Family contains invalid characters"},
		{`{"family":"web"}`, "Container list cannot be empty"},
		{`{"family":"web","containerDefinitions":[{"image":"x","memory":1}]}`, "Container.name should not be null"},
		{`{"family":"web","containerDefinitions":[{"name":"a.b","image":"x","memory":1}]}`, "Invalid container name"},
		{`{"family":"web","containerDefinitions":[{"name":"a","memory":1}]}`, "Container.image should not be null"},
		{`{"family":"web","containerDefinitions":[{"name":"a","image":"x"}]}`, "At least one of 'memory'"},
		{`{"family":"web","containerDefinitions":[{"name":"a","image":"x","memory":1},{"name":"a","image":"x","memory":1}]}`, "Duplicate container name"},
		{`{"family":"web","containerDefinitions":[{"name":"a","image":"x","memory":1,"essential":false}]}`, "must be marked as essential"},
		{`{"family":"web","requiresCompatibilities":["FARGATE"],"memory":"512","containerDefinitions":[{"name":"a","image":"x"}]}`, "'cpu' be defined at the task level"},
		{`{"family":"web","requiresCompatibilities":["FARGATE"],"cpu":"256","memory":"512","containerDefinitions":[{"name":"a","image":"x"}]}`, "network mode"},
		{`{"family":"web","containerDefinitions":[{"name":"a","image":"x","memory":6}],"tags":[{"key":"aws:x","value":"y"}]}`, "must not begin with aws:"},
	} {
		out := rawECS(t, s, "RegisterTaskDefinition", test.body)
		if message, _ := out["message"].(string); !strings.Contains(message, test.message) {
			t.Errorf("%s: answered %v, want %q", test.body, out, test.message)
		}
	}
}

func TestECSErrors(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("one")
	c.create(c.define(c.web(c.uri+":one")), 1)
	ctx, cluster, missing := t.Context(), aws.String("shop"), aws.String("missing")
	retired := c.define(c.web(c.uri + ":one"))
	if _, err := c.ecs.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: &retired}); err != nil {
		t.Fatal(err)
	}
	many := slices.Repeat([]string{"shop"}, 101)
	arns := slices.Repeat([]string{"arn:aws:ecs:us-east-1:000000000000:service-deployment/shop/shop/x"}, 21)
	for _, test := range []struct {
		code string
		call func() error
	}{
		{"ClusterNotFoundException", func() error {
			_, err := c.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: missing, Services: []string{"shop"}})
			return err
		}},
		{"ClusterNotFoundException", func() error {
			_, err := c.ecs.ListTasks(ctx, &ecs.ListTasksInput{}) // there is no cluster called default
			return err
		}},
		{"ServiceNotFoundException", func() error {
			_, err := c.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: cluster, Service: missing})
			return err
		}},
		{"ServiceNotFoundException", func() error {
			_, err := c.ecs.ListTasks(ctx, &ecs.ListTasksInput{Cluster: cluster, ServiceName: missing})
			return err
		}},
		{"ServiceNotFoundException", func() error {
			_, err := c.ecs.ListServiceDeployments(ctx, &ecs.ListServiceDeploymentsInput{Cluster: cluster, Service: missing})
			return err
		}},
		{"ClientException", func() error {
			_, err := c.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: cluster, Service: cluster, TaskDefinition: &retired})
			return err
		}},
		{"ClientException", func() error {
			_, err := c.ecs.CreateService(ctx, &ecs.CreateServiceInput{Cluster: cluster, ServiceName: aws.String("other"), TaskDefinition: &retired, DesiredCount: aws.Int32(1)})
			return err
		}},
		{"ClientException", func() error {
			_, err := c.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String("shop:99")})
			return err
		}},
		{"InvalidParameterException", func() error {
			_, err := c.ecs.CreateService(ctx, &ecs.CreateServiceInput{Cluster: cluster, ServiceName: cluster, TaskDefinition: aws.String("shop:1"), DesiredCount: aws.Int32(1)})
			return err
		}},
		{"InvalidParameterException", func() error {
			_, err := c.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: cluster, Services: many[:11]})
			return err
		}},
		{"InvalidParameterException", func() error {
			_, err := c.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: cluster, Tasks: many})
			return err
		}},
		{"InvalidParameterException", func() error {
			_, err := c.ecs.DescribeServiceDeployments(ctx, &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: arns})
			return err
		}},
		{"InvalidParameterException", func() error {
			_, err := c.ecs.DescribeServiceRevisions(ctx, &ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: arns})
			return err
		}},
		{"InvalidParameterException", func() error {
			_, err := c.ecs.StopTask(ctx, &ecs.StopTaskInput{Cluster: cluster, Task: missing})
			return err
		}},
		{"InvalidParameterException", func() error {
			_, err := c.ecs.DeleteService(ctx, &ecs.DeleteServiceInput{Cluster: cluster, Service: cluster})
			return err
		}},
		{"InvalidParameterException", func() error {
			_, err := c.ecs.TagResource(ctx, &ecs.TagResourceInput{ResourceArn: aws.String(arns[0]), Tags: []types.Tag{{Key: missing}}})
			return err
		}},
		{"ClusterContainsServicesException", func() error {
			_, err := c.ecs.DeleteCluster(ctx, &ecs.DeleteClusterInput{Cluster: cluster})
			return err
		}},
	} {
		wantCode(t, test.call(), test.code)
	}
	if got := c.deployments(); len(got) != 1 {
		t.Errorf("what was refused made deployments: %+v", got)
	}
}

func TestECSServicesComeAndGo(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("one")
	c.create(c.define(c.web(c.uri+":one")), 2, func(in *ecs.CreateServiceInput) {
		in.Tags = []types.Tag{{Key: aws.String("app"), Value: aws.String("shop")}}
		in.PropagateTags = types.PropagateTagsService
	})
	ctx, cluster := t.Context(), aws.String("shop")
	s := c.service()
	if len(s.Tags) != 1 || *s.DeploymentConfiguration.MaximumPercent != 200 || *s.DeploymentConfiguration.MinimumHealthyPercent != 100 ||
		s.SchedulingStrategy != types.SchedulingStrategyReplica || s.DeploymentController.Type != types.DeploymentControllerTypeEcs {
		t.Errorf("the service is %+v", s)
	}
	if _, err := c.ecs.TagResource(ctx, &ecs.TagResourceInput{ResourceArn: s.ServiceArn, Tags: []types.Tag{{Key: aws.String("n"), Value: aws.String("2")}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ecs.UntagResource(ctx, &ecs.UntagResourceInput{ResourceArn: s.ServiceArn, TagKeys: []string{"app"}}); err != nil {
		t.Fatal(err)
	}
	tags, err := c.ecs.ListTagsForResource(ctx, &ecs.ListTagsForResourceInput{ResourceArn: s.ServiceArn})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Key != "n" || *c.service().Tags[0].Value != "2" {
		t.Errorf("tags are %+v, %v", tags, err)
	}
	described, err := c.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: cluster, Services: []string{"other", *s.ServiceArn}})
	if err != nil || len(described.Services) != 1 || len(described.Failures) != 1 || *described.Failures[0].Reason != "MISSING" ||
		*described.Failures[0].Arn != "arn:aws:ecs:us-east-1:000000000000:service/shop/other" || described.Services[0].Tags != nil {
		t.Errorf("described %+v, %v", described, err)
	}
	if _, err := c.ecs.DeleteService(ctx, &ecs.DeleteServiceInput{Cluster: cluster, Service: cluster, Force: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	if got := *c.service().Status; got != "DRAINING" {
		t.Errorf("while its tasks stop the service is %s", got)
	}
	c.s.Advance(time.Minute)
	if got := *c.service().Status; got != "INACTIVE" {
		t.Errorf("without tasks the service is %s", got)
	}
	list, err := c.ecs.ListServices(ctx, &ecs.ListServicesInput{Cluster: cluster})
	if err != nil || len(list.ServiceArns) != 0 || len(c.s.ECSServices()) != 0 {
		t.Errorf("listed %v, %v", list, err)
	}
	_, err = c.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: cluster, Service: cluster, DesiredCount: aws.Int32(1)})
	wantCode(t, err, "ServiceNotActiveException")
	c.create("shop", 1)
	if got := *c.service().Status; got != "ACTIVE" {
		t.Errorf("made again, the service is %s", got)
	}
}

// ECS is another one in every region.
func TestECSRegions(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	out, err := ecsClient(c.s, "eu-west-1").DescribeClusters(t.Context(), &ecs.DescribeClustersInput{Clusters: []string{"shop"}})
	if err != nil || len(out.Clusters) != 0 || *out.Failures[0].Reason != "MISSING" {
		t.Errorf("in another region: %+v, %v", out, err)
	}
	for _, id := range []string{"shop", "arn:aws:ecs:us-east-1:000000000000:cluster/shop"} {
		out, err := c.ecs.DescribeClusters(t.Context(), &ecs.DescribeClustersInput{Clusters: []string{id}})
		if err != nil || len(out.Clusters) != 1 || *out.Clusters[0].Status != "ACTIVE" {
			t.Errorf("DescribeClusters(%s) = %+v, %v, want one active cluster", id, out, err)
		}
	}
	list, err := c.ecs.ListClusters(t.Context(), &ecs.ListClustersInput{})
	if err != nil || len(list.ClusterArns) != 1 {
		t.Errorf("listed %+v, %v", list, err)
	}
	if _, err := c.ecs.DeleteCluster(t.Context(), &ecs.DeleteClusterInput{Cluster: aws.String("shop")}); err != nil {
		t.Fatal(err)
	}
	if list, err := c.ecs.ListClusters(t.Context(), &ecs.ListClustersInput{}); err != nil || len(list.ClusterArns) != 0 {
		t.Errorf("listed %+v, %v", list, err)
	}
}

func TestServiceDeploymentsAreListedByPages(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("one")
	c.create(c.define(c.web(c.uri+":one")), 0)
	times := []time.Time{*c.deployments()[0].CreatedAt}
	for range 4 {
		c.s.Advance(time.Hour)
		times = append(times, *c.update("").Deployments[0].CreatedAt)
	}
	c.wait()
	list := func(in ecs.ListServiceDeploymentsInput) (got []time.Time) {
		t.Helper()
		in.Cluster, in.Service = aws.String("shop"), aws.String("shop")
		for {
			page, err := c.ecs.ListServiceDeployments(t.Context(), &in)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range page.ServiceDeployments {
				got = append(got, *d.CreatedAt)
			}
			if in.NextToken = page.NextToken; in.NextToken == nil {
				return got
			}
		}
	}
	newestFirst := slices.Clone(times)
	slices.Reverse(newestFirst)
	for _, test := range []struct {
		in   ecs.ListServiceDeploymentsInput
		want []time.Time
	}{
		{ecs.ListServiceDeploymentsInput{}, newestFirst},
		{ecs.ListServiceDeploymentsInput{MaxResults: aws.Int32(2)}, newestFirst},
		{ecs.ListServiceDeploymentsInput{CreatedAt: &types.CreatedAt{After: &times[3]}}, newestFirst[:2]},
		{ecs.ListServiceDeploymentsInput{CreatedAt: &types.CreatedAt{Before: &times[0]}}, newestFirst[4:]},
		{ecs.ListServiceDeploymentsInput{Status: []types.ServiceDeploymentStatus{"SUCCESSFUL"}}, newestFirst},
		{ecs.ListServiceDeploymentsInput{Status: []types.ServiceDeploymentStatus{"STOPPED", "IN_PROGRESS"}}, nil},
	} {
		if got := list(test.in); !slices.EqualFunc(got, test.want, time.Time.Equal) {
			t.Errorf("%+v: %v, want %v", test.in, got, test.want)
		}
	}
	c.s.Advance(91 * 24 * time.Hour)
	if got := list(ecs.ListServiceDeploymentsInput{}); len(got) != 0 {
		t.Errorf("after ninety days there are %v", got)
	}
}

// The record of calls names services, so that they can be counted.
func TestECSCallsNameTheirService(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("one")
	c.create(c.define(c.web(c.uri+":one")), 1)
	arn := *c.service().ServiceArn
	if _, err := c.ecs.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: aws.String("shop"), Services: []string{arn, "other"}}); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, call := range c.s.Calls() {
		if call.Service == "ecs" {
			got[call.Action+" "+call.Reference] = true
		}
	}
	for _, want := range []string{
		"CreateCluster shop", "RegisterTaskDefinition shop", "CreateService shop", "DescribeServices shop", "DescribeServices other,shop", "DescribeServiceDeployments shop",
	} {
		if !got[want] {
			t.Errorf("no call %q in %v", want, got)
		}
	}
}
