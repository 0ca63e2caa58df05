package cmd

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"slipway/cmd/planned"
	"slipway/project"
)

// TestExamples plans every project of examples/ as a newcomer would.
func TestExamples(t *testing.T) {
	want := map[string][]string{
		"express-flask":   {"express", "flask"},
		"two-services":    {"foodstore", "petstore"},
		"lone-dockerfile": {"api"},
		"hermetic":        {"brand", "handbook", "prices", "shop"},
		"greeter":         {"web"},

		"pipelines/s3-source":    {"api", "web"},
		"pipelines/git-source":   {"foodstore", "petstore"},
		"pipelines/laptop":       {"web"},
		"pipelines/pull-request": {"web"},
	}
	found := 0
	for _, pattern := range []string{"../examples/*/README.md", "../examples/pipelines/*/README.md"} {
		dirs, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found += len(dirs)
	}
	if found--; found != len(want) { // pipelines itself is not an example
		t.Fatalf("%d examples, want %d", found, len(want))
	}
	for name, services := range want {
		t.Run(name, func(t *testing.T) {
			t.Chdir(filepath.Join("../examples", name))
			dir, err := os.Getwd()
			if err != nil {
				t.Fatal(err)
			}
			var stdout, stderr bytes.Buffer
			w := &cli{stdout: &stdout, stderr: &stderr, Host: project.Host{Dir: dir}}
			if code := run(t.Context(), w, []string{"build", "--plan", "--output", "json", "--hash", "h", "--allow", "s3=s3://my-definitions/blog"}); code != exitDone || stderr.Len() > 0 {
				t.Fatalf("exit code %d, %s", code, stderr.String())
			}
			var plan []planned.Service
			if err := json.Unmarshal(stdout.Bytes(), &plan); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range plan {
				got = append(got, s.Service)
			}
			if !slices.Equal(got, services) {
				t.Errorf("services %v, want %v", got, services)
			}
		})
	}
}
