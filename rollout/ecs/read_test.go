package ecs

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsname"
	"slipway/internal/fault"
	"slipway/rollout/internal/fakeaws"
)

// digest returns a digest with a number that differs from others.
func digest(n int) string { return fmt.Sprintf("sha256:%064d", n) }

// taskList answers ListTasks with a number of tasks, 100 a page.
func taskList(count int) func(fakeaws.Object) any {
	return func(in fakeaws.Object) any {
		first := 0
		if token, _ := in["nextToken"].(string); token != "" {
			_, _ = fmt.Sscan(token, &first)
		}
		arns := []string{}
		for i := first; i < min(first+100, count); i++ {
			arns = append(arns, fmt.Sprintf("%stask/shop/%d", fakeaws.ARNPrefix, i))
		}
		out := fakeaws.Object{"taskArns": arns}
		if first+100 < count {
			out["nextToken"] = fmt.Sprint(first + 100)
		}
		return out
	}
}

// tasksRunning answers DescribeTasks: task i runs the digest that the function
// gives.
func tasksRunning(digestOf func(i int) string) func(fakeaws.Object) any {
	return func(in fakeaws.Object) any {
		tasks := []fakeaws.Object{}
		for _, arn := range fakeaws.Strings(in, "tasks") {
			var i int
			_, _ = fmt.Sscan(awsname.LastPart(arn), &i)
			tasks = append(tasks, fakeaws.Object{"taskArn": arn, "lastStatus": "RUNNING", "containers": []fakeaws.Object{
				{"name": "web", "imageDigest": digestOf(i)}, {"name": "log"},
			}})
		}
		return fakeaws.Object{"tasks": tasks}
	}
}

// shopDefinition answers DescribeTaskDefinition.
func shopDefinition(in fakeaws.Object) any {
	return fakeaws.Object{"taskDefinition": fakeaws.Object{"taskDefinitionArn": in["taskDefinition"], "family": "shop", "containerDefinitions": []fakeaws.Object{
		{"name": "web", "image": "shop/web:latest", "future": true}, {"name": "log", "image": "fluent"},
	}}}
}

// revisionsRunning answers DescribeServiceRevisions: revision n runs digest n.
func revisionsRunning(in fakeaws.Object) any {
	revisions := []fakeaws.Object{}
	for _, arn := range fakeaws.Strings(in, "serviceRevisionArns") {
		var n int
		_, _ = fmt.Sscan(awsname.LastPart(arn), &n)
		revisions = append(revisions, fakeaws.Object{"serviceRevisionArn": arn, "containerImages": []fakeaws.Object{
			{"containerName": "web", "image": "shop/web:latest", "imageDigest": digest(n)},
			{"containerName": "pinned", "image": "shop/pinned@" + digest(99)},
			{"containerName": "log", "image": "fluent"},
		}})
	}
	return fakeaws.Object{"serviceRevisions": revisions}
}

func TestRead(t *testing.T) {
	s := fakeaws.Start(t, map[string]func(fakeaws.Object) any{
		"DescribeServices": fakeaws.AnswerServices(fakeaws.DescribedService("shop", "web", fakeaws.Object{
			"currentServiceRevisions": []fakeaws.Object{{"arn": fakeaws.RevisionARN(2), "requestedTaskCount": 2}},
			"deploymentConfiguration": fakeaws.Object{"strategy": "CANARY", "bakeTimeInMinutes": 5},
			"tags":                    []fakeaws.Object{{"key": TagDesiredCount, "value": "3"}},
		})),
		"DescribeTaskDefinition":   shopDefinition,
		"ListServiceDeployments":   fakeaws.Fixed(fakeaws.Object{"serviceDeployments": []fakeaws.Object{fakeaws.ListedDeployment(2, "SUCCESSFUL"), fakeaws.ListedDeployment(3, "ROLLBACK_SUCCESSFUL")}}),
		"DescribeServiceRevisions": revisionsRunning,
		"ListTasks":                taskList(250),
		"DescribeTasks":            tasksRunning(func(i int) string { return digest(1 + i%2) }),
	})
	ref := Ref{Cluster: "shop", Service: "web"}
	services, err := Read(t.Context(), s.ECS(), []Ref{ref})
	if err != nil {
		t.Fatal(err)
	}
	got := services[0]
	wantContainers := []Container{
		{Name: "web", Image: "shop/web:latest", Resolved: digest(2), Running: map[string]int{digest(1): 125, digest(2): 125}},
		{Name: "log", Image: "fluent", Running: map[string]int{"": 250}},
	}
	if !reflect.DeepEqual(got.Containers, wantContainers) {
		t.Errorf("containers %+v, want %v", got.Containers, wantContainers)
	}
	if len(got.Deployments) != 2 || got.Deployments[0].ARN != fakeaws.DeploymentARN(3) || got.Deployments[0].Digests["web"] != digest(3) ||
		got.Deployments[0].Reason != "reason 3" || !got.Deployments[0].Created.Equal(time.Unix(180, 0)) {
		t.Errorf("deployments %+v: want the newest first, with its digests", got.Deployments)
	}
	if got.Ref != ref || got.ARN != fakeaws.ServiceARN("shop", "web") || got.Controller != "ECS" || got.Strategy != "CANARY" || got.Wait != 15*time.Minute {
		t.Errorf("service %+v", got)
	}
	if count, ok := got.remembered(); !ok || count != 3 {
		t.Errorf("tag tells %d, %t", count, ok)
	}
	if got.Definition.containers()[0]["future"] != true {
		t.Errorf("definition %+v lacks a field that the SDK does not know", got.Definition)
	}
	s.WantCalls(map[string]int{
		"DescribeServices": 1, "DescribeTaskDefinition": 1, "ListServiceDeployments": 1,
		"DescribeServiceRevisions": 1, "ListTasks": 3, "DescribeTasks": 3,
	})
}

func TestReadAsksOnceForTenServices(t *testing.T) {
	var described []fakeaws.Object
	var refs []Ref
	for i := range 30 {
		name := fmt.Sprintf("web%d", i)
		cluster := "shop"
		if i >= 20 {
			cluster = "default"
		}
		described = append(described, fakeaws.DescribedService(cluster, name, nil))
		refs = append(refs, Ref{Cluster: strings.TrimSuffix(cluster, "default"), Service: name})
	}
	refs[7].Cluster, refs[7].Service = "", fakeaws.ServiceARN("shop", "web7") // an ARN tells its cluster
	s := fakeaws.Start(t, map[string]func(fakeaws.Object) any{
		"DescribeServices":         fakeaws.AnswerServices(described...),
		"DescribeTaskDefinition":   shopDefinition,
		"ListServiceDeployments":   fakeaws.Fixed(fakeaws.Object{"serviceDeployments": []fakeaws.Object{}}),
		"DescribeServiceRevisions": revisionsRunning,
		"ListTasks":                taskList(0),
	})
	services, err := Read(t.Context(), s.ECS(), refs)
	if err != nil {
		t.Fatal(err)
	}
	for i, service := range services {
		if service.Ref != refs[i] || aws.ToString(service.Raw.ServiceName) != fmt.Sprintf("web%d", i) {
			t.Errorf("service %d is %s (%s), want %s", i, service.Ref, service.ARN, refs[i])
		}
	}
	// No revision is known, so none is asked for; no task, so none is
	// described.
	s.WantCalls(map[string]int{"DescribeServices": 3, "DescribeTaskDefinition": 30, "ListServiceDeployments": 30, "ListTasks": 30})
}

func TestReadNamesWhatIsMissing(t *testing.T) {
	s := fakeaws.Start(t, map[string]func(fakeaws.Object) any{
		"DescribeServices": fakeaws.AnswerServices(fakeaws.DescribedService("shop", "web", nil), fakeaws.DescribedService("shop", "gone", fakeaws.Object{"status": "INACTIVE"})),
	})
	_, err := Read(t.Context(), s.ECS(), []Ref{{"shop", "web"}, {"shop", "gone"}, {"shop", "wbe"}, {"sohp", "web"}})
	var missing *MissingError
	if !errors.As(err, &missing) || missing.Ref != (Ref{"shop", "gone"}) || fault.KindOf(err) != fault.Usage {
		t.Fatalf("Read: error %v of kind %d, want a *MissingError of kind Usage", err, fault.KindOf(err))
	}
	want := `ECS service gone in cluster shop in eu-west-1: the service is INACTIVE
ECS service wbe in cluster shop in eu-west-1: the service does not exist
ECS service web in cluster sohp in eu-west-1: the cluster does not exist`
	if err.Error() != want {
		t.Errorf("error\n%v\nwant\n%s", err, want)
	}
	if n := s.Count()["DescribeTaskDefinition"]; n != 0 {
		t.Errorf("%d task definitions read all the same", n)
	}
}

func TestReadOfCodeDeployService(t *testing.T) {
	s := fakeaws.Start(t, map[string]func(fakeaws.Object) any{
		"DescribeServices": fakeaws.AnswerServices(fakeaws.DescribedService("shop", "web", fakeaws.Object{
			"deploymentController": fakeaws.Object{"type": "CODE_DEPLOY"},
			"taskSets": []fakeaws.Object{
				{"status": "ACTIVE", "taskDefinition": "shop:9"}, {"status": "PRIMARY", "taskDefinition": "shop:8"},
			},
		})),
		"DescribeTaskDefinition": shopDefinition,
		"ListTasks":              taskList(1),
		"DescribeTasks":          tasksRunning(func(int) string { return digest(1) }),
	})
	services, err := Read(t.Context(), s.ECS(), []Ref{{"shop", "web"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := services[0]; got.Controller != "CODE_DEPLOY" || got.Definition.ARN != "shop:8" || got.Containers[0].Running[digest(1)] != 1 {
		t.Errorf("service %+v", got)
	}
}

func TestReadTellsWhatFailed(t *testing.T) {
	working := map[string]func(fakeaws.Object) any{
		"DescribeServices": fakeaws.AnswerServices(fakeaws.DescribedService("shop", "web", fakeaws.Object{
			"currentServiceRevisions": []fakeaws.Object{{"arn": fakeaws.RevisionARN(2)}},
		})),
		"DescribeTaskDefinition":   shopDefinition,
		"ListServiceDeployments":   fakeaws.Fixed(fakeaws.Object{"serviceDeployments": []fakeaws.Object{}}),
		"DescribeServiceRevisions": revisionsRunning,
		"ListTasks":                taskList(1),
		"DescribeTasks":            tasksRunning(digest),
	}
	for action := range working {
		if action == "ListServiceDeployments" || action == "DescribeServiceRevisions" {
			continue // TestReadWithoutHistory
		}
		t.Run(action, func(t *testing.T) {
			actions := map[string]func(fakeaws.Object) any{}
			for a, answer := range working {
				actions[a] = answer
			}
			actions[action] = fakeaws.Fixed(fakeaws.Refusal{Code: "AccessDeniedException"})
			s := fakeaws.Start(t, actions)
			services, err := Read(t.Context(), s.ECS(), []Ref{{"shop", "web"}})
			var denied *types.AccessDeniedException
			if !errors.As(err, &denied) || services != nil {
				t.Errorf("services %v, error %v", services, err)
			}
		})
	}
}

// TestReadWithoutHistory reads a service whose deployments or revisions are
// refused: what DescribeServices says stands for them.
func TestReadWithoutHistory(t *testing.T) {
	revision := fakeaws.RevisionARN(2)
	number := revision[strings.LastIndex(revision, "/")+1:]
	states := map[types.DeploymentRolloutState]types.ServiceDeploymentStatus{
		"COMPLETED": "SUCCESSFUL", "IN_PROGRESS": "IN_PROGRESS", "FAILED": "STOPPED", "": "SUCCESSFUL",
	}
	for state, want := range states {
		for _, code := range []string{"AccessDeniedException", "UnsupportedFeatureException"} {
			actions := map[string]func(fakeaws.Object) any{
				"DescribeServices": fakeaws.AnswerServices(fakeaws.DescribedService("shop", "web", fakeaws.Object{
					"currentServiceRevisions":  []fakeaws.Object{{"arn": revision}},
					"currentServiceDeployment": fakeaws.DeploymentARN(2),
					"deployments":              []fakeaws.Object{{"id": "ecs-svc/" + number, "status": "PRIMARY", "rolloutState": state, "rolloutStateReason": "why"}},
				})),
				"DescribeTaskDefinition":   shopDefinition,
				"ListServiceDeployments":   fakeaws.Fixed(fakeaws.Refusal{Code: code}),
				"DescribeServiceRevisions": revisionsRunning,
				"ListTasks":                taskList(1),
				"DescribeTasks":            tasksRunning(digest),
			}
			read := func() Service {
				s := fakeaws.Start(t, actions)
				services, err := Read(t.Context(), s.ECS(), []Ref{{"shop", "web"}})
				if err != nil {
					t.Fatalf("%s %s: %v", state, code, err)
				}
				return services[0]
			}
			s := read()
			if s.Unread == nil || len(s.Deployments) != 1 {
				t.Fatalf("%s: unread %v, deployments %+v", state, s.Unread, s.Deployments)
			}
			if d := s.Deployments[0]; d.Status != want || d.Reason != "why" || d.Revision != revision || d.ARN != fakeaws.DeploymentARN(2) || len(d.Digests) == 0 {
				t.Errorf("%s: deployment %+v, want %s", state, d, want)
			}
			if s.Stalled() != (state == "FAILED") || s.Containers[0].Resolved == "" {
				t.Errorf("%s: stalled %t, containers %+v", state, s.Stalled(), s.Containers)
			}
			actions["DescribeServiceRevisions"] = fakeaws.Fixed(fakeaws.Refusal{Code: code})
			if s = read(); s.Containers[0].Resolved != "" || s.Deployments[0].Status != want {
				t.Errorf("%s: without revisions: containers %+v, deployments %+v", state, s.Containers, s.Deployments)
			}
		}
	}
}

func TestPresentRevision(t *testing.T) {
	current := func(requested ...int) []types.ServiceCurrentRevisionSummary {
		var all []types.ServiceCurrentRevisionSummary
		for i, n := range requested {
			all = append(all, types.ServiceCurrentRevisionSummary{Arn: aws.String(fakeaws.RevisionARN(i + 1)), RequestedTaskCount: int32(n)})
		}
		return all
	}
	deployment := func(n int, status types.ServiceDeploymentStatus) ServiceDeployment {
		return ServiceDeployment{ARN: fakeaws.DeploymentARN(n), Revision: fakeaws.RevisionARN(n), Status: status}
	}
	for _, test := range []struct {
		name        string
		current     []types.ServiceCurrentRevisionSummary
		deployments []ServiceDeployment
		want        string
	}{
		{"nothing known", nil, nil, ""},
		{"one", current(2), []ServiceDeployment{deployment(1, "SUCCESSFUL")}, fakeaws.RevisionARN(1)},
		{"going forward", current(4, 1), []ServiceDeployment{deployment(2, "IN_PROGRESS"), deployment(1, "SUCCESSFUL")}, fakeaws.RevisionARN(2)},
		{"going back", current(1, 4), []ServiceDeployment{deployment(2, "ROLLBACK_IN_PROGRESS"), deployment(1, "SUCCESSFUL")}, fakeaws.RevisionARN(1)},
		{"gone back", current(4), []ServiceDeployment{deployment(2, "ROLLBACK_SUCCESSFUL"), deployment(1, "SUCCESSFUL")}, fakeaws.RevisionARN(1)},
		{"only the target is known while rolling back", nil, []ServiceDeployment{deployment(2, "ROLLBACK_REQUESTED"), deployment(1, "SUCCESSFUL")}, fakeaws.RevisionARN(1)},
		{"deployments alone", nil, []ServiceDeployment{deployment(3, "STOPPED"), deployment(2, "SUCCESSFUL"), deployment(1, "SUCCESSFUL")}, fakeaws.RevisionARN(2)},
		{"none ever succeeded", nil, []ServiceDeployment{deployment(3, "STOPPED")}, ""},
		{"the larger of two", current(1, 3), nil, fakeaws.RevisionARN(2)},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := presentRevision(types.Service{CurrentServiceRevisions: test.current}, test.deployments); got != test.want {
				t.Errorf("revision %q, want %q", got, test.want)
			}
		})
	}
}

func TestOwnWait(t *testing.T) {
	for _, test := range []struct {
		name   string
		config types.DeploymentConfiguration
		want   int // minutes
	}{
		{"none given", types.DeploymentConfiguration{BakeTimeInMinutes: aws.Int32(5)}, 0},
		{"rolling", types.DeploymentConfiguration{Strategy: "ROLLING", BakeTimeInMinutes: aws.Int32(5)}, 0},
		{"blue green", types.DeploymentConfiguration{Strategy: "BLUE_GREEN", BakeTimeInMinutes: aws.Int32(5)}, 5},
		{"linear as it comes", types.DeploymentConfiguration{Strategy: "LINEAR"}, 54},
		{"linear", types.DeploymentConfiguration{Strategy: "LINEAR", BakeTimeInMinutes: aws.Int32(3),
			LinearConfiguration: &types.LinearConfiguration{StepPercent: aws.Float64(30), StepBakeTimeInMinutes: aws.Int32(2)}}, 9},
		{"linear at once", types.DeploymentConfiguration{Strategy: "LINEAR", LinearConfiguration: &types.LinearConfiguration{StepPercent: aws.Float64(100)}}, 0},
		{"canary as it comes", types.DeploymentConfiguration{Strategy: "CANARY"}, 10},
		{"canary", types.DeploymentConfiguration{Strategy: "CANARY", BakeTimeInMinutes: aws.Int32(3),
			CanaryConfiguration: &types.CanaryConfiguration{CanaryBakeTimeInMinutes: aws.Int32(4)}}, 7},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, want := strategyWait(test.config), time.Duration(test.want)*time.Minute; got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

func TestImages(t *testing.T) {
	present := []fakeaws.Object{{"arn": fakeaws.RevisionARN(7)}}
	s := fakeaws.Start(t, map[string]func(fakeaws.Object) any{
		"DescribeServices": fakeaws.AnswerServices(
			fakeaws.DescribedService("shop", "web", fakeaws.Object{"currentServiceRevisions": present}),
			fakeaws.DescribedService("shop", "stopped", fakeaws.Object{"currentServiceRevisions": present, "runningCount": 0}),
			fakeaws.DescribedService("shop", "new", fakeaws.Object{"runningCount": 0}),
		),
		"ListTasks":                taskList(150),
		"DescribeTasks":            tasksRunning(func(i int) string { return digest(min(i/40, 1)) }),
		"DescribeServiceRevisions": revisionsRunning,
	})
	web, stopped, fresh := Ref{"shop", "web"}, Ref{"shop", "stopped"}, Ref{"shop", "new"}
	got, err := Images(t.Context(), s.ECS(), []Ref{web, stopped, fresh, web})
	if err != nil {
		t.Fatal(err)
	}
	want := map[Ref]map[string]string{
		web:     {"web": digest(1)},
		stopped: {"web": digest(7), "pinned": digest(99)},
		fresh:   {},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("images %v, want %v", got, want)
	}
	s.WantCalls(map[string]int{"DescribeServices": 1, "ListTasks": 1, "DescribeTasks": 1, "DescribeServiceRevisions": 1})

	if _, err := Images(t.Context(), s.ECS(), []Ref{{"shop", "other"}}); !errors.As(err, new(*MissingError)) {
		t.Errorf("error %v, want a *MissingError", err)
	}
}

func TestTasksOnTheirWayAreNotCounted(t *testing.T) {
	task := func(status string, n int) types.Task {
		return types.Task{LastStatus: &status, Containers: []types.Container{{Name: aws.String("web"), ImageDigest: aws.String(digest(n))}}}
	}
	got := CountDigests([]types.Task{task("RUNNING", 1), task("PENDING", 2), task("DEPROVISIONING", 3), task("RUNNING", 1)})
	if want := map[string]map[string]int{"web": {digest(1): 2}}; !reflect.DeepEqual(got, want) {
		t.Errorf("counts %v, want %v", got, want)
	}
}
