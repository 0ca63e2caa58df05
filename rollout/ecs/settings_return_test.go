package ecs

import (
	"maps"
	"slices"
	"testing"

	"slipway/rollout/internal/fakeaws"
)

// earlier returns a task definition of revision 5 with images by container.
func earlier(status string, containers ...Container) Definition {
	d := runs(containers...).Definition
	d.ARN = "arn:x:task-definition/shop:5"
	d.Fields = maps.Clone(d.Fields)
	d.Fields["status"] = status
	d.Fields["cpu"] = "512"
	return d
}

// A service returns to an earlier task definition as it is, where ECS deploys it and its
// references lead to the desired images. Otherwise one with its settings is registered.
func TestDecideReturns(t *testing.T) {
	const web = "r.example/shop/web"
	ref := func(name, image string) Container { return Container{Name: name, Image: image} }
	for _, x := range []struct {
		name       string
		definition Definition
		others     []string
		exact      bool
		want       Action
		images     map[string]string
		why        string
		lines      []string
	}{
		{name: "the same reference", definition: earlier("ACTIVE", ref("web", web+":a1"), ref("log", "fluent:2")),
			want: Return, why: "back to task definition shop:5"},
		{name: "latest, which moves", definition: earlier("ACTIVE", ref("web", web+":latest"), ref("log", "fluent:2")),
			want: Return, why: "back to task definition shop:5"},
		{name: "latest, which stays", definition: earlier("ACTIVE", ref("web", web+":latest"), ref("log", "fluent:2")), exact: true,
			want: Register, images: map[string]string{"web": web + ":a1"}, why: "back to the settings of task definition shop:5, which needs a new revision: container web gets a new image reference"},
		{name: "the digest", definition: earlier("ACTIVE", ref("web", web+"@"+digest(1)), ref("log", "fluent:2")),
			want: Return, why: "back to task definition shop:5"},
		{name: "a tag that may have moved", definition: earlier("ACTIVE", ref("web", web+":v1"), ref("log", "fluent:2")),
			want: Register, images: map[string]string{"web": web + ":a1"}, why: "back to the settings of task definition shop:5, which needs a new revision: container web gets a new image reference"},
		{name: "another host", definition: earlier("ACTIVE", ref("web", "other.example/shop/web:a1"), ref("log", "fluent:2")),
			want: Register, images: map[string]string{"web": web + ":a1"}, why: "back to the settings of task definition shop:5, which needs a new revision: container web gets a new image reference"},
		{name: "deregistered", definition: earlier("INACTIVE", ref("web", web+":a1"), ref("log", "fluent:2")),
			want: Register, why: "back to the settings of task definition shop:5, which needs a new revision: it is INACTIVE"},
		{name: "another image of a container without a desired one", definition: earlier("ACTIVE", ref("web", web+":a1"), ref("log", "fluent:1")),
			want: Return, why: "back to task definition shop:5", lines: []string{"log: fluent:2 → fluent:1"}},
		{name: "the container of others", definition: earlier("ACTIVE", ref("web", web+":a1"), ref("log", "fluent:1")), others: []string{"log"},
			want: Register, images: map[string]string{"log": "fluent:2"}, why: "back to the settings of task definition shop:5, which needs a new revision: container log gets a new image reference"},
		{name: "a container more", definition: earlier("ACTIVE", ref("web", web+":a1"), ref("log", "fluent:2"), ref("old", "old:1")),
			want: Return, why: "back to task definition shop:5"},
		{name: "a container less", definition: earlier("ACTIVE", ref("web", web+":a1")), others: []string{"log"},
			want: Return, why: "back to task definition shop:5"},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := runs(container("web", web+":b2", 2), container("log", "fluent:2", 9))
			c, err := Decide(s.With(Settings{Definition: x.definition, Earlier: true, Others: x.others}), map[string]DesiredImage{"web": want(web+":a1", 1)}, x.exact)
			if err != nil {
				t.Fatal(err)
			}
			if c.Action != x.want || c.Why != x.why || !maps.Equal(c.Images, x.images) || !c.Wants["web"].Has(digest(1)) {
				t.Errorf("%s, because %s, with images %v and %v wanted, want %s, because %s, with %v", c.Action, c.Why, c.Images, c.Wants, x.want, x.why, x.images)
			}
			var lines []string
			for _, l := range c.Lines[1:] {
				lines = append(lines, l.String())
			}
			if !slices.Equal(lines, x.lines) {
				t.Errorf("other lines %q, want %q", lines, x.lines)
			}
		})
	}
}

// An equal revision that was registered before is not registered again.
func TestDecideReturnsToEqual(t *testing.T) {
	c := Container{Name: "web", Image: "shop/web:a1"}
	definition := earlier("INACTIVE", c)
	definition.Tags = []any{map[string]any{"key": "a", "value": "1"}, map[string]any{"key": "b", "value": "2"}}
	s := runs(c)
	for _, x := range []struct {
		name   string
		change func(*Definition)
		want   Action
	}{
		{"equal", func(d *Definition) {}, Force},
		{"tags in another order", func(d *Definition) { d.Tags = []any{definition.Tags[1], definition.Tags[0]} }, Force},
		{"deregistered, too", func(d *Definition) { d.Fields["status"] = "INACTIVE" }, Register},
		{"another setting", func(d *Definition) { d.Fields["cpu"] = "256" }, Register},
		{"another tag", func(d *Definition) { d.Tags = definition.Tags[:1] }, Register},
		{"another family", func(d *Definition) { d.Family = "other" }, Register},
	} {
		running := earlier("ACTIVE", c)
		running.ARN, running.Tags = "arn:x:task-definition/shop:7", definition.Tags
		x.change(&running)
		s.Definition = running
		got, err := Decide(s.With(Settings{Definition: definition, Earlier: true}), map[string]DesiredImage{"web": want("shop/web:a1", 1)}, false)
		if err != nil || got.Action != x.want {
			t.Errorf("%s: %s, %v, want %s", x.name, got.Action, err, x.want)
		}
	}
}

// The earlier task definition is deployed with one call.
func TestDeployReturns(t *testing.T) {
	s := fakeaws.Start(t, map[string]func(fakeaws.Object) any{"UpdateService": fakeaws.Fixed(updated)})
	c := deploying(t, "shop/web:b2")
	definition := earlier("ACTIVE", Container{Name: "web", Image: "shop/web:a1"})
	c, err := Decide(c.Service.With(Settings{Definition: definition, Earlier: true}), c.Wants, false)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Deploy(t.Context(), s.ECS(), nil, c)
	if err != nil {
		t.Fatal(err)
	}
	if in := s.Of("UpdateService")[0].In; d.TaskDefinition != definition.ARN || in["taskDefinition"] != definition.ARN || in["forceNewDeployment"] != true {
		t.Errorf("deployment %+v of %v", d, in)
	}
	if got, ok := d.Service.Earlier(); !ok || got.ARN != definition.ARN {
		t.Errorf("the deployment returns to %q, %t, want %q", got.ARN, ok, definition.ARN)
	}
	s.WantCalls(map[string]int{"UpdateService": 1})
}
