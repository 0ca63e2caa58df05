package stack_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/internal/event"
	"slipway/internal/testkit"
	"slipway/project"
	"slipway/stack"
)

// examples returns the directories of all examples: those with a compose file, and those
// with a Dockerfile and a README.
func examples(t *testing.T) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir("../examples", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if has(path, "compose.yaml") || has(path, "Dockerfile") && has(path, "README.md") {
			out = append(out, path)
			return fs.SkipDir
		}
		return nil
	})
	if err != nil || len(out) < 11 {
		t.Fatalf("the examples are %q, %v, want all of them", out, err)
	}
	return out
}

func has(dir, file string) bool {
	_, err := os.Stat(filepath.Join(dir, file))
	return err == nil
}

// load reads a compose project.
func load(t *testing.T, dir string) stack.Project {
	t.Helper()
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	p, err := project.StackProject(t.Context(), &project.Host{Dir: dir}, project.Options{Dir: dir})
	if err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	return p
}

// TestExamples: CloudFormation takes the parameters that follow from each example.
func TestExamples(t *testing.T) {
	derived := 0
	for _, dir := range examples(t) {
		p := load(t, dir)
		for _, s := range templates(t) {
			var services []string
			if n := entries(p); s.Name == "site-alb" || s.Name == "scaling" {
				services = n[:min(1, len(n))]
			}
			got, err := s.Derive(p, services)
			if err != nil {
				t.Errorf("%s: Derive for %s: %v", dir, s.Name, err)
			}
			for _, v := range got.Values {
				derived++
				if err := check(s, v); err != nil || strings.ContainsAny(v.Value, " \t\n") {
					t.Errorf("%s: %s refuses %q: %v", dir, s.Name, v, err)
				}
			}
			for _, m := range got.Missing {
				if m.Err != nil {
					t.Errorf("%s: %s refuses a value: %v", dir, s.Name, m.Err)
				}
			}
		}
	}
	if derived < 100 {
		t.Errorf("%d parameters were derived, want some for each example", derived)
	}
}

// entries are the names of the ECS services that receive requests.
func entries(p stack.Project) (out []string) {
	for _, d := range p.Definitions {
		if d.Entry != nil && d.ECS.Service != "" {
			out = append(out, d.ECS.Service)
		}
	}
	return out
}

// warnings keeps the warnings of a flow.
type warnings []string

func (w *warnings) Revision(string) {}

func (w *warnings) Report(e event.Event) {
	if e.Level == event.Warning {
		*w = append(*w, e.Text)
	}
}

// TestExamplesExplainWarnings: the README of an example names each field that
// `slipway task` warns of.
func TestExamplesExplainWarnings(t *testing.T) {
	count := 0
	for _, dir := range examples(t) {
		var found warnings
		absolute, err := filepath.Abs(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := project.TaskDefinitions(t.Context(), &project.Host{Dir: absolute, Events: &found}, project.Options{Dir: absolute}); err != nil {
			t.Errorf("%s: slipway task: %v", dir, err)
		}
		for _, warning := range found {
			count++
			if field, _, _ := strings.Cut(warning, " "); !strings.Contains(testkit.ReadFile(t, filepath.Join(dir, "README.md")), "`"+field+"`") {
				t.Errorf("%s: its README does not name `%s`: %s", dir, field, warning)
			}
		}
	}
	if count == 0 {
		t.Error("no example has a warning, want that of express-flask")
	}
}

// TestExamplesDeploy follows the commands in the READMEs of the examples that name a
// stack: CloudFormation takes each command, and what is made is deleted at the end.
func TestExamplesDeploy(t *testing.T) {
	followed := 0
	for _, dir := range examples(t) {
		p := load(t, dir)
		if p.Stack == "" {
			continue
		}
		followed++
		t.Run(filepath.Base(dir), func(t *testing.T) {
			a := follow(t, p, testkit.ReadFile(t, filepath.Join(dir, "README.md")))
			for _, rest := range a.left() {
				t.Errorf("the README lacks `%s`", rest)
			}
		})
	}
	if followed < 3 {
		t.Errorf("%d examples name a stack, want one for each pattern", followed)
	}
}

// follow returns the account after the commands of a README.
func follow(t testing.TB, p stack.Project, readme string) account {
	a := account{t: t, project: p, files: map[string]stack.Template{}, stacks: map[string]deployed{}}
	for _, words := range testkit.Commands(readme) {
		a.run(words)
	}
	a.checkOutputs()
	return a
}

// TestExamplesDeployCanFail: each fault in a README is found.
func TestExamplesDeployCanFail(t *testing.T) {
	p, text := load(t, "../examples/stacks/posts"), testkit.ReadFile(t, "../examples/stacks/posts/README.md")
	for _, change := range [][2]string{
		{"--stack-name network", "--stack-name net"},
		{"> table.yaml", "> tables.yaml"},
		{" TableStack=posts-table", ""},
		{" TableStack=posts-table", " Table=posts-table"},
		{"For=site-api", "For=api"},
		{" DomainPrefix=posts-4711", ""},
		{"--template-file table.yaml \\\n     --capabilities CAPABILITY_IAM", "--template-file table.yaml"},
		{"$(slipway stack site-api --parameters)", "$(slipway stack site-alb --parameters)"},
		{"slipway secrets push\n", "slipway secrets\n"},
		{" --create-service", ""},
		{"delete-stack --stack-name posts-login", ""},
		{"delete-table", ""},
		{"--repository-name posts/flask", "--repository-name posts/web"},
	} {
		if !strings.Contains(text, change[0]) {
			t.Errorf("the README lacks %q", change[0])
		}
		found := &faults{T: t}
		a := follow(found, p, strings.ReplaceAll(text, change[0], change[1]))
		if found.count+len(a.left()) == 0 {
			t.Errorf("with %q in place of %q, nothing is found", change[1], change[0])
		}
	}
}

// faults counts the failures of a check.
type faults struct {
	*testing.T
	count int
}

func (f *faults) Errorf(string, ...any) { f.count++ }

// check returns an error if the template has no such parameter or refuses the value.
func check(s stack.Template, v stack.Value) error {
	i := slices.IndexFunc(s.Parameters, func(p stack.Parameter) bool { return p.Name == v.Name })
	if i < 0 {
		return errUnknown
	}
	return s.Parameters[i].Check(v.Value)
}
