package task_test

import (
	"context"
	"strings"
	"testing"
	"unicode"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"slipway/internal/testkit"
	"slipway/rollout/task"
)

// FuzzDerive checks that a compose file is refused with a remedy, or gives definitions
// that Fargate takes.
func FuzzDerive(f *testing.F) {
	for _, path := range rows(f) {
		for _, file := range read(f, path).Files {
			if file.Name == "compose.yaml" {
				f.Add(string(file.Data), "8080/tcp")
			}
		}
	}
	for _, s := range keys {
		if s.treatment != parts && !strings.Contains(s.with, "\n") {
			f.Add("name: shop\nservices: {web: {image: example.org/web, "+strings.ReplaceAll(s.with, "\n", ", ")+"}, other: {image: a}}\n", "53/udp 1-3/tcp")
		}
	}
	f.Fuzz(func(t *testing.T, text, exposed string) {
		p := parsed(text)
		if p == nil {
			return
		}
		images := map[string]task.Image{}
		for name := range p.Services {
			images[name] = task.Image{Ref: "example.org/built", Exposed: strings.Fields(exposed)}
		}
		definitions, warnings, err := task.Derive(p, images, task.Surroundings{})
		for _, w := range warnings {
			if strings.ContainsFunc(w.String(), unicode.IsControl) || !strings.Contains(w.Where, ".") && !strings.HasPrefix(w.Where, "x-aws-") {
				t.Errorf("warning %q, want a line about a field", w)
			}
		}
		if err != nil {
			if input := testkit.WantInputError(t, err, err.Error()); input.Where == "" || input.Remedy == "" {
				t.Errorf("got error %v, want one with a field and a remedy", err)
			}
			return
		}
		for _, d := range definitions {
			obey(t, d)
		}
	})
}

// parsed returns the project of a compose file; nil if compose-go refuses it, or does not
// survive it.
func parsed(text string) (p *types.Project) {
	if len(text) > 4<<10 {
		return nil
	}
	defer func() {
		if recover() != nil {
			p = nil
		}
	}()
	p, err := loader.LoadWithContext(context.Background(), types.ConfigDetails{
		WorkingDir:  "/nowhere",
		ConfigFiles: []types.ConfigFile{{Filename: "compose.yaml", Content: []byte(text)}},
	}, func(o *loader.Options) {
		o.SkipInclude, o.SkipExtends, o.SkipResolveEnvironment = true, true, true
		o.SetProjectName("shop", false)
	})
	if err != nil {
		return nil
	}
	return p
}
