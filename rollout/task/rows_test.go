package task_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"slipway/internal/event"
	"slipway/internal/fault"
	"slipway/internal/golden"
	"slipway/internal/testkit"
	"slipway/project"
	"slipway/rollout/task"
)

// TestRows derives the definitions of each project in testdata/rows. A file there has
// the project, then what follows from it: the definitions, the settings of the ECS
// services, and the warnings; or the error.
func TestRows(t *testing.T) {
	for _, path := range rows(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a := read(t, path)
			dir := writeProject(t, a)
			definitions, warnings, err := derive(t, dir)
			for _, d := range definitions {
				obey(t, d)
			}
			a.Files = append(a.Files, outcome(t, dir, definitions, warnings, err)...)
			golden.Check(t, "rows/"+filepath.Base(path), txtar.Format(a))
		})
	}
}

// rows returns the files of testdata/rows.
func rows(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/rows/*.txtar")
	if err != nil || len(paths) < 30 {
		t.Fatalf("Glob: %d files, %v", len(paths), err)
	}
	return paths
}

// results are the files of a row that follow from its project.
var results = []string{"definitions.json", "services.txt", "warnings.txt", "error.txt"}

// read returns a row without its results.
func read(t testing.TB, path string) *txtar.Archive {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	a := txtar.Parse(text)
	a.Files = slices.DeleteFunc(a.Files, func(f txtar.File) bool { return slices.Contains(results, f.Name) })
	return a
}

func writeProject(t testing.TB, a *txtar.Archive) string {
	t.Helper()
	tree := map[string]string{}
	for _, f := range a.Files {
		tree["shop/"+f.Name] = string(f.Data)
	}
	return filepath.Join(testkit.WriteTree(t, tree), "shop")
}

// warned collects warnings.
type warned []string

func (w *warned) Report(e event.Event) { *w = append(*w, e.Text) }
func (w *warned) Revision(string)      {}

// derive is `slipway task` in a directory.
func derive(t testing.TB, dir string) ([]task.Definition, []string, error) {
	t.Helper()
	var warnings warned
	host := &project.Host{Dir: dir, Events: &warnings}
	definitions, err := project.TaskDefinitions(t.Context(), host, project.Options{Dir: dir, Profiles: []string{"active"}})
	return definitions, warnings, err
}

// outcome returns the results of a row.
func outcome(t *testing.T, dir string, definitions []task.Definition, warnings []string, err error) (out []txtar.File) {
	t.Helper()
	add := func(name, text string) {
		if text != "" {
			out = append(out, txtar.File{Name: name, Data: []byte(strings.ReplaceAll(text, dir, "/project"))})
		}
	}
	if err != nil {
		if fault.KindOf(err) != fault.Input || fault.HintOf(err) == "" {
			t.Errorf("got error %v, want an InputError with a remedy", err)
		}
		add("error.txt", err.Error()+"\n"+fault.HintOf(err)+"\n")
		return out
	}
	var inputs []task.Input
	var services strings.Builder
	for _, d := range definitions {
		inputs = append(inputs, d.Input)
		fmt.Fprintf(&services, "%s: services %s", d.Input.Family, strings.Join(d.Services, " "))
		if d.Before != "" {
			fmt.Fprintf(&services, "; before a rollout of %s", d.ECS)
		} else {
			fmt.Fprintf(&services, "; of %s; %+v", d.ECS, d.Create)
		}
		if d.Entry != nil {
			fmt.Fprintf(&services, "; entry %+v", *d.Entry)
		}
		if d.Keep != nil {
			fmt.Fprintf(&services, "; keep %v", d.Keep)
		}
		services.WriteString("\n")
	}
	text, err := task.JSON(inputs)
	if err != nil {
		t.Fatal(err)
	}
	add("definitions.json", string(text))
	add("services.txt", services.String())
	if len(warnings) > 0 {
		add("warnings.txt", strings.Join(warnings, "\n")+"\n")
	}
	return out
}

// TestNoValueOfASecret checks that the value of a secret's file is in nothing that is
// derived.
func TestNoValueOfASecret(t *testing.T) {
	a := read(t, "testdata/rows/secrets.txtar")
	definitions, warnings, err := derive(t, writeProject(t, a))
	text, jsonErr := task.JSON(definitions)
	if err != nil || jsonErr != nil {
		t.Fatal(err, jsonErr)
	}
	if text = append(text, strings.Join(warnings, "\n")...); bytes.Contains(text, []byte("never shown")) {
		t.Errorf("the value of a secret is in %s", text)
	}
}
