package ecs

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/rollout/internal/fakeaws"
)

// runs returns a service whose containers have references, each with one
// running digest that is also the resolved one.
func runs(containers ...Container) Service {
	s := Service{Ref: Ref{"shop", "web"}, Controller: "ECS", Desired: 2, Containers: containers}
	var definitions []any
	for _, c := range containers {
		definitions = append(definitions, fakeaws.Object{"name": c.Name, "image": c.Image})
	}
	s.Definition = Definition{ARN: "arn:x:task-definition/shop:7", Family: "shop", Fields: fakeaws.Object{"family": "shop", "status": "ACTIVE", "containerDefinitions": definitions}}
	return s
}

func container(name, image string, n int) Container {
	return Container{Name: name, Image: image, Resolved: digest(n), Running: map[string]int{digest(n): 2}}
}

func want(image string, n ...int) DesiredImage {
	w := DesiredImage{Image: image}
	for _, n := range n {
		w.Digests = append(w.Digests, digest(n))
	}
	return w
}

func TestDecide(t *testing.T) {
	const web = "r.example/shop/web"
	type wants = map[string]DesiredImage
	back := func(s Service, change func(*Service)) Service { change(&s); return s }
	target := func(status types.ServiceDeploymentStatus, n int) func(*Service) {
		return func(s *Service) {
			s.Deployments = []ServiceDeployment{{ARN: fakeaws.DeploymentARN(n), Status: status, Digests: map[string]string{"web": digest(n)}}}
		}
	}
	for _, test := range []struct {
		name    string
		service Service
		wants   wants
		exact   bool

		action   Action
		images   string // container=image
		notes    int
		replaces string
	}{
		{name: "latest is deployed again", service: runs(container("web", web+":latest", 2)), wants: wants{"web": want(web+":a1", 1)}, action: Force},
		{name: "no tag is deployed again", service: runs(container("web", web, 2)), wants: wants{"web": want(web+":a1", 1)}, action: Force},
		{name: "a tag needs a revision", service: runs(container("web", web+":b2", 2)), wants: wants{"web": want(web+":a1", 1)},
			action: Register, images: "web=" + web + ":a1"},
		{name: "a digest stays a digest", service: runs(container("web", web+"@"+digest(2), 2)), wants: wants{"web": want(web+":a1", 1)},
			action: Register, images: "web=" + web + "@" + digest(1)},
		{name: "a tag with a digest stays so", service: runs(container("web", web+":b2@"+digest(2), 2)), wants: wants{"web": want(web+":a1", 1)},
			action: Register, images: "web=" + web + ":a1@" + digest(1)},
		{name: "latest with a digest is pinned", service: runs(container("web", web+":latest@"+digest(2), 2)), wants: wants{"web": want(web+":a1", 1)},
			action: Register, images: "web=" + web + ":a1@" + digest(1)},
		{name: "a tag becomes the digest that is wanted", service: runs(container("web", web+":b2", 2)), wants: wants{"web": want(web+"@"+digest(1), 1)},
			action: Register, images: "web=" + web + "@" + digest(1)},
		{name: "both in one service", service: runs(container("web", web+":latest", 2), container("api", "r.example/api:b2", 2)),
			wants:  wants{"web": want(web+":a1", 1), "api": want("r.example/api:a1", 3)},
			action: Register, images: "api=r.example/api:a1"},
		{name: "others stay as they are", service: runs(container("web", web+":b2", 2), container("log", "fluent:1", 9)), wants: wants{"web": want(web+":a1", 1)},
			action: Register, images: "web=" + web + ":a1"},
		{name: "the tag is right, the digest is not", service: runs(container("web", web+":a1", 2)), wants: wants{"web": want(web+":a1", 1)}, action: Force},

		{name: "runs it", service: runs(container("web", web+":latest", 1)), wants: wants{"web": want(web+":a1", 1)}, action: Leave},
		{name: "runs it by another tag", service: runs(container("web", web+":b2", 1)), wants: wants{"web": want(web+":a1", 1)}, action: Leave},
		{name: "runs the index's platform", service: runs(Container{Name: "web", Image: web, Resolved: digest(1), Running: map[string]int{digest(5): 2}}),
			wants: wants{"web": want(web+":a1", 1, 4, 5)}, action: Leave},
		{name: "one task runs another", service: runs(Container{Name: "web", Image: web, Resolved: digest(1), Running: map[string]int{digest(1): 9, digest(2): 1}}),
			wants: wants{"web": want(web+":a1", 1)}, action: Force},
		{name: "one task does not tell", service: runs(Container{Name: "web", Image: web, Resolved: digest(1), Running: map[string]int{digest(1): 9, "": 1}}),
			wants: wants{"web": want(web+":a1", 1)}, action: Force},
		{name: "new tasks would run another", service: runs(Container{Name: "web", Image: web, Resolved: digest(2), Running: map[string]int{digest(1): 2}}),
			wants: wants{"web": want(web+":a1", 1)}, action: Force},
		{name: "not resolved, running", service: runs(Container{Name: "web", Image: web, Running: map[string]int{digest(1): 2}}),
			wants: wants{"web": want(web+":a1", 1)}, action: Leave},
		{name: "nothing runs", service: runs(Container{Name: "web", Image: web, Resolved: digest(1)}), wants: wants{"web": want(web+":a1", 1)}, action: Force},
		{name: "stopped, resolved", service: back(runs(Container{Name: "web", Image: web, Resolved: digest(1)}), func(s *Service) { s.Desired = 0 }),
			wants: wants{"web": want(web+":a1", 1)}, action: Leave},
		{name: "stopped, resolved to another", service: back(runs(Container{Name: "web", Image: web, Resolved: digest(2)}), func(s *Service) { s.Desired = 0 }),
			wants: wants{"web": want(web+":a1", 1)}, action: Force},
		{name: "stopped, not resolved", service: back(runs(Container{Name: "web", Image: web}), func(s *Service) { s.Desired = 0 }),
			wants: wants{"web": want(web+":a1", 1)}, action: Force},
		{name: "no digest is wanted", service: runs(container("web", web+":latest", 1)), wants: wants{"web": want(web + ":latest")}, action: Force},

		{name: "under way to another", service: back(runs(container("web", web, 1)), target("IN_PROGRESS", 2)), wants: wants{"web": want(web+":a1", 1)},
			action: Force, replaces: fakeaws.DeploymentARN(2)},
		{name: "under way to it", service: back(runs(container("web", web, 1)), target("PENDING", 1)), wants: wants{"web": want(web+":a1", 1)}, action: Leave},
		{name: "under way to it, not there yet", service: back(runs(container("web", web, 2)), target("IN_PROGRESS", 1)), wants: wants{"web": want(web+":a1", 1)},
			action: Force, replaces: fakeaws.DeploymentARN(1)},
		{name: "under way back from it", service: back(runs(container("web", web, 1)), target("ROLLBACK_IN_PROGRESS", 1)), wants: wants{"web": want(web+":a1", 1)},
			action: Force, replaces: fakeaws.DeploymentARN(1)},
		{name: "under way to unknown images", service: back(runs(container("web", web, 1)), func(s *Service) { s.Deployments = []ServiceDeployment{{Status: "PENDING"}} }),
			wants: wants{"web": want(web+":a1", 1)}, action: Force},
		{name: "another failed before", service: back(runs(container("web", web, 1)), target("ROLLBACK_SUCCESSFUL", 2)), wants: wants{"web": want(web+":a1", 1)}, action: Leave},

		{name: "another repository", service: runs(container("web", "other/web:b2", 2)), wants: wants{"web": want(web+":a1", 1)}, action: Leave, notes: 1},
		{name: "another repository beside", service: runs(container("web", "other/web:b2", 2), container("api", "r.example/api", 2)),
			wants: wants{"web": want(web+":a1", 1), "api": want("r.example/api:a1", 1)}, action: Force, notes: 1},
		{name: "no such container", service: runs(container("web", web, 2)), wants: wants{"web": want(web+":a1", 1), "api": want("api:a1", 1)}, action: Force, notes: 1},
		{name: "a reference that cannot be read", service: runs(container("web", "UPPER/web", 2)), wants: wants{"web": want(web+":a1", 1)}, action: Leave, notes: 1},
		{name: "Docker Hub's short and long names", service: runs(container("web", "docker.io/library/web:b2", 2)), wants: wants{"web": want("web:a1", 1)},
			action: Register, images: "web=web:a1"},
		{name: "nothing wanted", service: runs(container("web", web, 2)), action: Leave},

		{name: "exact", service: runs(container("web", web+":latest", 2)), wants: wants{"web": want(web+":a1", 1)}, exact: true,
			action: Register, images: "web=" + web + ":a1"},
		{name: "exact, the same", service: runs(container("web", web+":latest", 2)), wants: wants{"web": want(web+":latest", 1)}, exact: true, action: Force},
		{name: "exact, runs it", service: runs(container("web", web+":b2", 1)), wants: wants{"web": want(web+":a1", 1)}, exact: true, action: Leave},
		{name: "exact, of another repository", service: runs(container("web", "other/web:b2", 1)), wants: wants{"web": want(web+":a1", 1)}, exact: true,
			action: Register, images: "web=" + web + ":a1"},
		{name: "exact, one digest unknown", service: runs(container("web", web+":a1", 1), container("proxy", "nginx:1", 9)),
			wants: wants{"web": want(web+":a1", 1), "proxy": want("nginx:1")}, exact: true, action: Leave},
		{name: "exact, one digest unknown and another reference", service: runs(container("web", web+":a1", 1), container("proxy", "nginx:1", 9)),
			wants: wants{"web": want(web+":a1", 1), "proxy": want("nginx:2")}, exact: true, action: Register, images: "proxy=nginx:2"},
		{name: "exact, digests unknown", service: runs(container("web", web+":a1", 1)), wants: wants{"web": want(web + ":a1")}, exact: true, action: Force},

		{name: "a deregistered task definition", service: back(runs(container("web", web, 2)), func(s *Service) { s.Definition.Fields["status"] = "INACTIVE" }),
			wants: wants{"web": want(web+":a1", 1)}, action: Register},
		{name: "CodeDeploy", service: back(runs(container("web", web, 2)), func(s *Service) { s.Controller = "CODE_DEPLOY" }), wants: wants{"web": want(web+":a1", 1)}, action: Force},
		{name: "CodeDeploy runs it", service: back(runs(container("web", web, 1)), func(s *Service) { s.Controller = "CODE_DEPLOY" }),
			wants: wants{"web": want(web+":a1", 1)}, action: Leave},
		{name: "CodeDeploy has a second task set", service: back(runs(container("web", web, 1)), func(s *Service) {
			s.Controller = "CODE_DEPLOY"
			s.Raw.TaskSets = []types.TaskSet{{Status: aws.String("PRIMARY")}, {Status: aws.String("ACTIVE")}}
		}), wants: wants{"web": want(web+":a1", 1)}, action: Force},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := Decide(test.service, test.wants, test.exact)
			if err != nil {
				t.Fatal(err)
			}
			var images []string
			for _, name := range sortedKeys(c.Images) {
				images = append(images, name+"="+c.Images[name])
			}
			if c.Action != test.action || strings.Join(images, " ") != test.images || len(c.Notes) != test.notes || c.Why == "" {
				t.Errorf("%s %v, notes %q, because %q; want %s %v", c.Action, images, c.Notes, c.Why, test.action, test.images)
			}
			replaces := ""
			if c.Replaces != nil {
				replaces = c.Replaces.ARN
			}
			if replaces != test.replaces {
				t.Errorf("replaces %q, want %q", replaces, test.replaces)
			}
		})
	}
}

func TestDecideTellsWhatWillChange(t *testing.T) {
	s := runs(container("web", "shop/web:latest", 2), container("log", "fluent:1", 9), container("api", "shop/api@"+digest(2), 2))
	c, err := Decide(s, map[string]DesiredImage{"web": want("shop/web:a1", 1, 7), "api": want("shop/api:a1", 3)}, false)
	if err != nil {
		t.Fatal(err)
	}
	want := []ImageChange{
		{Container: "web", From: "shop/web:latest", To: "shop/web:latest", FromDigest: digest(2), ToDigest: digest(1)},
		{Container: "api", From: "shop/api@" + digest(2), To: "shop/api@" + digest(3), FromDigest: digest(2), ToDigest: digest(3)},
	}
	if !reflect.DeepEqual(c.Lines, want) {
		t.Errorf("lines %v, want %v", c.Lines, want)
	}
	if got := c.Lines[0].String(); got != "web: shop/web:latest (sha256:000000000000) → shop/web:latest (sha256:000000000000)" {
		t.Errorf("it reads %q", got)
	}
	if got := c.Lines[1].String(); strings.Contains(got, "(") {
		t.Errorf("it reads %q: a digest needs no digest beside it", got)
	}
	if len(c.Wants) != 2 || c.Wants["web"].Digests[1] != digest(7) {
		t.Errorf("wants %v", c.Wants)
	}
}

func TestDecideRefuses(t *testing.T) {
	external := runs(container("web", "shop/web", 2))
	external.Controller = types.DeploymentControllerTypeExternal
	_, err := Decide(external, map[string]DesiredImage{"web": want("shop/web:a1", 1)}, false)
	var controller *ControllerError
	if !errors.As(err, &controller) || controller.Hint() == "" || !strings.Contains(err.Error(), "shop/web has the deployment controller EXTERNAL") {
		t.Errorf("error %v, want a *ControllerError", err)
	}

	_, err = Decide(runs(container("web", "shop/web", 2)), map[string]DesiredImage{"wbe": want("shop/web:a1", 1)}, true)
	var missing *ContainerError
	if !errors.As(err, &missing) || !reflect.DeepEqual(missing.Have, []string{"web"}) {
		t.Errorf("error %v, want a *ContainerError", err)
	}
}

// What Decide says about a service must not change it.
func TestDecideIsPure(t *testing.T) {
	s := runs(container("web", "shop/web:b2", 2))
	before := fmt.Sprintf("%+v", s)
	if _, err := Decide(s, map[string]DesiredImage{"web": want("shop/web:a1", 1)}, true); err != nil {
		t.Fatal(err)
	}
	if after := fmt.Sprintf("%+v", s); after != before {
		t.Errorf("the service was %s and is %s", before, after)
	}
}

func FuzzRestyle(f *testing.F) {
	for _, present := range []string{"shop/web", "shop/web:latest", "shop/web:b2", "shop/web@" + digest(2), "r:5000/shop/web:b2@" + digest(2), "docker.io/library/web", ""} {
		f.Add(present, "shop/web:a1", 1)
		f.Add(present, "shop/web:a1@"+digest(1), 0)
		f.Add(present, "r:5000/shop/web", 1)
	}
	f.Fuzz(func(t *testing.T, present, image string, n int) {
		w := want(image)
		if n > 0 {
			w = want(image, n)
		}
		got, ok := restyle(present, w)
		if !ok {
			return
		}
		if !sameRepository(got, image) {
			t.Errorf("%q wanted in place of %q became %q, of another repository", image, present, got)
		}
		if n > 0 && strings.Contains(present, "@") && !strings.HasSuffix(got, "@"+digest(n)) {
			t.Errorf("%q became %q without the wanted digest", present, got)
		}
	})
}
