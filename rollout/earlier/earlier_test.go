package earlier_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsname"
	"slipway/rollout/earlier"
	"slipway/rollout/ecs"
	"slipway/rollout/internal/fakeaws"
	"slipway/rollout/task/diff"
)

// deployed is a deployment of a task definition with the images of two containers.
type deployed struct {
	definition string
	web, api   string
	status     types.ServiceDeploymentStatus // SUCCESSFUL if empty
}

// history is an ECS that knows deployments of a service, newest first.
type history struct {
	deployments []deployed
	// tagged are the task definitions with the tags of Slipway, gone those that were
	// deleted.
	tagged, gone []string
}

func arnOf(definition string) string { return fakeaws.ARNPrefix + "task-definition/" + definition }

func (h history) serve(t *testing.T) *fakeaws.Server {
	return fakeaws.Start(t, map[string]func(fakeaws.Object) any{
		"ListServiceDeployments": func(fakeaws.Object) any {
			var list []fakeaws.Object
			for i, d := range h.deployments {
				if d.status == "" {
					list = append(list, fakeaws.ListedDeployment(h.number(i), types.ServiceDeploymentStatusSuccessful))
				}
			}
			return fakeaws.Object{"serviceDeployments": list}
		},
		"DescribeServiceRevisions": func(in fakeaws.Object) any {
			var list []fakeaws.Object
			for _, arn := range fakeaws.Strings(in, "serviceRevisionArns") {
				var n int
				_, _ = fmt.Sscan(awsname.LastPart(arn), &n)
				d := h.deployments[len(h.deployments)-n]
				images := []fakeaws.Object{{"containerName": "web", "image": "shop/web:one", "imageDigest": d.web}}
				if d.api != "" {
					images = append(images, fakeaws.Object{"containerName": "api", "image": "shop/api:one", "imageDigest": d.api})
				}
				list = append(list, fakeaws.Object{"serviceRevisionArn": arn, "taskDefinition": arnOf(d.definition), "containerImages": images})
			}
			return fakeaws.Object{"serviceRevisions": list}
		},
		"DescribeTaskDefinition": func(in fakeaws.Object) any {
			arn := in["taskDefinition"].(string)
			if slices.Contains(h.gone, awsname.LastPart(arn)) {
				return fakeaws.Refusal{Code: "ClientException"}
			}
			out := fakeaws.Object{"taskDefinition": fakeaws.Object{"taskDefinitionArn": arn}}
			if slices.Contains(h.tagged, awsname.LastPart(arn)) {
				out["tags"] = []fakeaws.Object{{"key": diff.SettingsTag, "value": "x"}, {"key": diff.ContainersTag, "value": "web api"}}
			}
			return out
		},
	})
}

// number is that of a deployment: the oldest one has 1.
func (h history) number(i int) int { return len(h.deployments) - i }

// service returns the service as ecs.Read does: with a page of deployments, of which it
// knows the revision of the newest one.
func (h history) service(running string) ecs.Service {
	s := ecs.Service{Ref: ecs.Ref{Cluster: "shop", Service: "web"}, Definition: ecs.Definition{ARN: arnOf(running)}}
	for i, d := range h.deployments[:min(len(h.deployments), 20)] {
		p := ecs.ServiceDeployment{Status: d.status, Revision: fakeaws.RevisionARN(h.number(i))}
		if p.Status == "" {
			p.Status = types.ServiceDeploymentStatusSuccessful
		}
		if i == 0 {
			p.TaskDefinition, p.Digests = arnOf(d.definition), map[string]string{"web": d.web, "api": d.api}
		}
		s.Deployments = append(s.Deployments, p)
	}
	return s
}

func TestFind(t *testing.T) {
	const failed = types.ServiceDeploymentStatusRollbackSuccessful
	two := deployed{definition: "shop:9", web: "two", api: "two"}
	many := func(d deployed, n int) []deployed { return slices.Repeat([]deployed{d}, n) }
	different := []deployed{two}
	for n := range 12 {
		different = append(different, deployed{definition: fmt.Sprint("shop:", n+10), web: "one", api: "one"})
	}
	for _, x := range []struct {
		name string
		history
		running                      string
		want                         string // empty for none
		lists, revisions, definition int
	}{
		{"the one before", history{deployments: []deployed{two, {definition: "shop:8", web: "one", api: "one"}}, tagged: []string{"shop:8"}}, "shop:9", "shop:8", 0, 1, 1},
		{"the newest of several", history{deployments: []deployed{two, {definition: "shop:8", web: "one", api: "one"}, {definition: "shop:7", web: "one", api: "one"}}, tagged: []string{"shop:7", "shop:8"}}, "shop:9", "shop:8", 0, 1, 1},
		{"not one that failed", history{deployments: []deployed{two, {definition: "shop:8", web: "one", api: "one", status: failed}, {definition: "shop:7", web: "one", api: "one"}}, tagged: []string{"shop:7", "shop:8"}}, "shop:9", "shop:7", 0, 1, 1},
		{"not one with an image of another", history{deployments: []deployed{two, {definition: "shop:8", web: "one", api: "two"}, {definition: "shop:7", web: "one", api: "one"}}, tagged: []string{"shop:7", "shop:8"}}, "shop:9", "shop:7", 0, 1, 1},
		{"not one without a container", history{deployments: []deployed{two, {definition: "shop:8", web: "one"}}, tagged: []string{"shop:8"}}, "shop:9", "", 0, 1, 0},
		{"an index's platform", history{deployments: []deployed{two, {definition: "shop:8", web: "one-amd64", api: "one"}}, tagged: []string{"shop:8"}}, "shop:9", "shop:8", 0, 1, 1},
		{"none without the tags", history{deployments: []deployed{two, {definition: "shop:8", web: "one", api: "one"}}}, "shop:9", "", 0, 1, 1},
		{"an older one with the tags", history{deployments: []deployed{two, {definition: "shop:8", web: "one", api: "one"}, {definition: "shop:7", web: "one", api: "one"}}, tagged: []string{"shop:7"}}, "shop:9", "shop:7", 0, 1, 2},
		{"one that was deleted", history{deployments: []deployed{two, {definition: "shop:8", web: "one", api: "one"}, {definition: "shop:7", web: "one", api: "one"}}, tagged: []string{"shop:7", "shop:8"}, gone: []string{"shop:8"}}, "shop:9", "shop:7", 0, 1, 2},
		{"the same definition with moved tags", history{deployments: []deployed{two, {definition: "shop:9", web: "one", api: "one"}, {definition: "shop:7", web: "one", api: "one"}}, tagged: []string{"shop:7"}}, "shop:9", "shop:9", 0, 1, 0},
		{"the running one without the tags, after another", history{deployments: []deployed{two, {definition: "shop:8", web: "one", api: "one"}, {definition: "shop:9", web: "one", api: "one"}, {definition: "shop:7", web: "one", api: "one"}}, tagged: []string{"shop:7"}}, "shop:9", "shop:7", 0, 1, 2},
		{"images that never ran", history{deployments: []deployed{two, {definition: "shop:8", web: "zero", api: "zero"}}, tagged: []string{"shop:8"}}, "shop:9", "", 0, 1, 0},
		{"each definition once", history{deployments: append([]deployed{two}, many(deployed{definition: "shop:8", web: "one", api: "one"}, 18)...)}, "shop:9", "", 0, 1, 1},
		{"older than a page", history{deployments: append(many(two, 25), deployed{definition: "shop:8", web: "one", api: "one"}), tagged: []string{"shop:8"}}, "shop:9", "shop:8", 1, 3, 1},
		{"only so many", history{deployments: different, tagged: []string{"shop:21"}}, "shop:9", "", 0, 1, 10},
	} {
		t.Run(x.name, func(t *testing.T) {
			server := x.serve(t)
			images := map[string]ecs.DesiredImage{"web": {Digests: []string{"one", "one-amd64"}}, "api": {Digests: []string{"one"}}}
			got, ok, err := earlier.Find(t.Context(), server.ECS(), x.service(x.running), nil, images)
			want := ""
			if x.want != "" {
				want = arnOf(x.want)
			}
			if err != nil || ok != (x.want != "") || got.ARN != want {
				t.Errorf("found %q, %t, %v, want %q", got.ARN, ok, err, want)
			}
			counts := server.Count()
			for action, n := range map[string]int{"ListServiceDeployments": x.lists, "DescribeServiceRevisions": x.revisions, "DescribeTaskDefinition": x.definition} {
				if counts[action] != n {
					t.Errorf("%s was called %d times, want %d", action, counts[action], n)
				}
			}
		})
	}
}

// Deployments that were read before are not read again.
func TestFindInPast(t *testing.T) {
	h := history{tagged: []string{"shop:8"}}
	server := h.serve(t)
	past := []ecs.ServiceDeployment{
		{TaskDefinition: arnOf("shop:9"), Digests: map[string]string{"web": "two"}},
		{TaskDefinition: arnOf("shop:8"), Digests: map[string]string{"web": "one"}},
	}
	got, ok, err := earlier.Find(t.Context(), server.ECS(), h.service("shop:9"), past, map[string]ecs.DesiredImage{"web": {Digests: []string{"one"}}})
	if err != nil || !ok || got.ARN != arnOf("shop:8") {
		t.Errorf("found %q, %t, %v, want shop:8", got.ARN, ok, err)
	}
	if !earlier.Written(got) || !slices.Equal(earlier.Containers(got), []string{"web", "api"}) {
		t.Errorf("written %t, containers %v, want web and api", earlier.Written(got), earlier.Containers(got))
	}
	server.WantCalls(map[string]int{"DescribeTaskDefinition": 1})
}

// Errors are returned, and no answer is guessed.
func TestFindFails(t *testing.T) {
	for _, refused := range []string{"DescribeServiceRevisions", "DescribeTaskDefinition"} {
		h := history{deployments: []deployed{{definition: "shop:9", web: "two"}, {definition: "shop:8", web: "one"}}}
		refuse := fakeaws.Fixed(fakeaws.Refusal{Code: "AccessDeniedException"})
		actions := map[string]func(fakeaws.Object) any{
			"DescribeServiceRevisions": fakeaws.Fixed(fakeaws.Object{"serviceRevisions": []fakeaws.Object{
				{"serviceRevisionArn": fakeaws.RevisionARN(1), "taskDefinition": arnOf("shop:8"), "containerImages": []fakeaws.Object{{"containerName": "web", "imageDigest": "one"}}},
			}}),
			"DescribeTaskDefinition": refuse,
		}
		actions[refused] = refuse
		server := fakeaws.Start(t, actions)
		_, ok, err := earlier.Find(t.Context(), server.ECS(), h.service("shop:9"), nil, map[string]ecs.DesiredImage{"web": {Digests: []string{"one"}}})
		if ok || !ecs.HistoryUnavailable(err) {
			t.Errorf("%s is denied: found %t, %v, want the error", refused, ok, err)
		}
	}
}
