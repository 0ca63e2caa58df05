package stack_test

import (
	"slices"
	"strings"
	"testing"

	"slipway/internal/fault"
	"slipway/project/compose"
	"slipway/rollout/task"
	"slipway/stack"
)

// shop is a project with one ECS service that receives requests.
func shop() stack.Project {
	return stack.Project{Name: "shop", Repositories: []string{"shop/web"}, Definitions: []task.Definition{definition("web", 80)}}
}

func definition(service string, port int, check ...string) task.Definition {
	d := task.Definition{ECS: compose.ECS{Cluster: "main", Service: service}}
	c := task.Container{Name: service}
	if len(check) > 0 {
		c.HealthCheck = &task.HealthCheck{Command: check}
	}
	if port > 0 {
		d.Entry = &task.Entry{Container: service, Port: port}
	}
	d.Input.Containers = []task.Container{c}
	return d
}

// get returns a derived value; empty if there is none.
func get(t *testing.T, template string, p stack.Project, name string) string {
	t.Helper()
	got, err := find(t, template).Derive(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range got.Values {
		if v.Name == name {
			return v.Value
		}
	}
	return ""
}

func TestHealthCheckPath(t *testing.T) {
	for check, want := range map[string]string{
		"curl -f http://localhost/health || exit 1":                       "/health",
		"curl -f http://localhost:80/a/b?full=yes":                        "/a/b",
		"wget -qO- http://127.0.0.1":                                      "/",
		`node -e "fetch('http://localhost/ping').then(r => r.ok || x())"`: "/ping",
		"curl http://localhost:9000/health":                               "",
		"curl http://localhost:9000/x && curl http://[::1]:80/y":          "/y",
		"curl https://localhost/health":                                   "",
		"curl http://example.com/health":                                  "",
		"node health.js":                                                  "",
	} {
		p := shop()
		p.Definitions[0] = definition("web", 80, "CMD-SHELL", check)
		if got := get(t, "site-alb", p, "HealthCheckPath"); got != want {
			t.Errorf("%s: the path is %q, want %q", check, got, want)
		}
	}
}

func TestRepositories(t *testing.T) {
	for list, want := range map[string]string{
		"":                    "shop/*",
		"shop/web":            "shop/web",
		"shop/web shop/api":   "shop/*",
		"shop/web shopping/a": "*",
		"a/b/c a/b/d a/e":     "a/*",
		"shop/web shop/web":   "shop/web",
		"web api":             "*",
		"a/b a/b/c":           "a/*",
	} {
		p := shop()
		p.Repositories = strings.Fields(list)
		if got := get(t, "site-alb", p, "Repositories"); got != want {
			t.Errorf("%s: the pattern is %q, want %q", list, got, want)
		}
	}
}

func TestStackName(t *testing.T) {
	for stack, want := range map[string]string{
		"site": "site",
		"arn:aws:cloudformation:eu-west-1:123456789012:stack/site/0f1e2d": "site",
	} {
		p := shop()
		p.Stack = stack
		if got := get(t, "pipeline", p, "SiteStack"); got != want {
			t.Errorf("%s: the name is %q, want %q", stack, got, want)
		}
	}
}

// TestDeriveRefuses: the services do not fit the template, or a value does not fit its
// parameter.
func TestDeriveRefuses(t *testing.T) {
	p := shop()
	p.Definitions = append(p.Definitions, definition("a", 1), definition("b", 2), definition("c", 3))
	for _, name := range []string{"site-alb", "site-api", "scaling"} {
		if _, err := find(t, name).Derive(p, nil); fault.KindOf(err) != fault.Usage {
			t.Errorf("%s for 4 services: %v, want an error in the usage", name, err)
		}
	}
	if got, err := find(t, "site-api").Derive(p, []string{"a", "c"}); err != nil || len(got.Values) != 9 {
		t.Errorf("site-api for two of them: %v, %v", got, err)
	}
	p = shop()
	p.Name = "my shop\nCreateCluster=no"
	got, err := find(t, "site-alb").Derive(p, nil)
	if err != nil || len(got.Missing) != 1 || got.Missing[0].Name != "Project" || got.Missing[0].Err == nil {
		t.Errorf("a name with a space: %+v, %v, want that Project is refused", got, err)
	}
}

func TestCheck(t *testing.T) {
	alb := find(t, "site-alb")
	for _, x := range []struct {
		name, value string
		ok          bool
	}{
		{"ContainerPort", "8080", true}, {"ContainerPort", "0", false}, {"ContainerPort", "65536", false}, {"ContainerPort", "http", false},
		{"OnlyFromCdn", "yes", true}, {"OnlyFromCdn", "maybe", false},
		{"HealthCheckPath", "/a", true}, {"HealthCheckPath", "/a\nB=1", false}, {"HealthCheckPath", "a", false},
	} {
		i := slices.IndexFunc(alb.Parameters, func(p stack.Parameter) bool { return p.Name == x.name })
		if err := alb.Parameters[i].Check(x.value); (err == nil) != x.ok {
			t.Errorf("Check(%s=%q) = %v, want ok %v", x.name, x.value, err, x.ok)
		}
	}
}

// TestPipelineBefore: the job may run the project's one-off tasks if it has some.
func TestPipelineBefore(t *testing.T) {
	p := shop()
	if got := get(t, "pipeline", p, "Before"); got != "" {
		t.Errorf("Before of a project without one-off tasks is %q", got)
	}
	for _, x := range []struct{ service, want string }{{"migrate", "shop-migrate"}, {"seed", "shop-*"}} {
		p.Definitions = append(p.Definitions, task.Definition{Before: x.service, Input: task.Input{Family: "shop-" + x.service}})
		if got := get(t, "pipeline", p, "Before"); got != x.want {
			t.Errorf("Before is %q with %s, want %s", got, x.service, x.want)
		}
	}
}

// TestPipelineSecrets: the job may describe the project's secrets if it has some.
func TestPipelineSecrets(t *testing.T) {
	p := shop()
	if got := get(t, "pipeline", p, "Secrets"); got != "" {
		t.Errorf("Secrets of a project without secrets is %q", got)
	}
	p.Definitions[0].Secrets = map[string]map[string]string{"web": {"DB": "db"}}
	if got := get(t, "pipeline", p, "Secrets"); got != "shop/*" {
		t.Errorf("Secrets is %q, want shop/*", got)
	}
}
