package task_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"slipway/internal/fault"
	"slipway/internal/testkit"
	"slipway/internal/testtools"
	"slipway/project"
	"slipway/project/compose"
	"slipway/rollout/task"
)

// TestDefinitionsPassLint lets cfn-lint check every definition of testdata/rows as a
// resource of a CloudFormation template. It knows the sizes of Fargate and the fields
// of a task definition.
func TestDefinitionsPassLint(t *testing.T) {
	lint := testtools.Require(t, testtools.CFNLint)
	resources := map[string]any{}
	for name, d := range everyDefinition(t) {
		resources[notAlphanumeric.ReplaceAllString(name, "")] = map[string]any{"Type": "AWS::ECS::TaskDefinition", "Properties": properties(t, d.Input)}
	}
	if len(resources) < 100 {
		t.Fatalf("%d definitions, want those of all rows and keys", len(resources))
	}
	if out, err := runLint(t, lint, resources); err != nil {
		t.Errorf("cfn-lint: %v\n%s", err, out)
	}
}

// everyDefinition returns the definitions of all rows, examples and keys by different
// names.
func everyDefinition(t *testing.T) map[string]task.Definition {
	t.Helper()
	out := map[string]task.Definition{}
	add := func(name, dir string) {
		for i, d := range surrounded(t, dir) {
			out[fmt.Sprintf("%s %d", name, i)] = d
		}
	}
	for _, path := range rows(t) {
		add("row "+filepath.Base(path), writeProject(t, read(t, path)))
	}
	for _, dir := range []string{"express-flask", "greeter", "hermetic", "lone-dockerfile", "two-services"} {
		add("example "+dir, filepath.Join("..", "..", "examples", dir))
	}
	for key, s := range keys {
		if s.treatment == carried || s.treatment == changed {
			add("key "+key, writeService(t, s.with))
		}
	}
	return out
}

// TestLintFindsFaults shows that cfn-lint sees into the definitions.
func TestLintFindsFaults(t *testing.T) {
	lint := testtools.Require(t, testtools.CFNLint)
	good := surrounded(t, writeProject(t, read(t, "testdata/rows/volumes.txtar")))[0].Input
	for name, spoil := range map[string]func(map[string]any){
		"a size":  func(p map[string]any) { p["Memory"] = "3000" },
		"a field": func(p map[string]any) { p["Essentials"] = true },
		"a field of a volume": func(p map[string]any) {
			p["Volumes"].([]any)[0].(map[string]any)["EFSVolumeConfiguration"].(map[string]any)["FileSystemId"] = "fs-1"
		},
		"a name": func(p map[string]any) { delete(p["ContainerDefinitions"].([]any)[0].(map[string]any), "Name") },
	} {
		p := properties(t, good)
		spoil(p)
		if out, err := runLint(t, lint, map[string]any{"T": map[string]any{"Type": "AWS::ECS::TaskDefinition", "Properties": p}}); err == nil {
			t.Errorf("%s: cfn-lint found nothing\n%s", name, out)
		}
	}
}

var notAlphanumeric = regexp.MustCompile(`[^a-zA-Z0-9]`)

// surrounded derives the definitions of a project with ARNs as AWS has them. There is
// none for a project that is refused.
func surrounded(t *testing.T, dir string) []task.Definition {
	t.Helper()
	p, err := compose.Load(t.Context(), compose.Options{Dir: dir, Profiles: []string{"active"}})
	if err != nil {
		t.Fatal(err)
	}
	refs := map[string]string{}
	for name := range p.Services {
		refs[name] = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/" + name + ":1a2b3c4d5e6f"
	}
	definitions, _, err := project.DeriveTasks(t.Context(), p, refs, task.Surroundings{
		ExecutionRole: "arn:aws:iam::123456789012:role/execution", TaskRole: "arn:aws:iam::123456789012:role/task",
		LogGroup: "/ecs/shop", Region: "eu-west-1", Account: "123456789012",
		Outputs: map[string]string{"PostsTable": "posts"},
		Secrets: map[string]string{"DB_PASSWORD": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/DB_PASSWORD-a1b2c3"},
	}, nil)
	if err != nil && fault.KindOf(err) != fault.Input {
		t.Fatal(err)
	}
	return definitions
}

// properties returns a definition as CloudFormation writes it: with keys that begin
// with a capital, apart from three.
func properties(t *testing.T, in task.Input) map[string]any {
	t.Helper()
	text, err := task.JSON(in)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return capitals(v).(map[string]any)
}

var (
	// otherKeys are the keys that CloudFormation spells in a way of its own.
	otherKeys = map[string]string{"efsVolumeConfiguration": "EFSVolumeConfiguration", "fileSystemId": "FilesystemId", "iam": "IAM"}
	// ownKeys have keys of the user's.
	ownKeys = map[string]bool{"dockerLabels": true, "options": true}
)

func capitals(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = capitals(v[i])
		}
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			name := strings.ToUpper(key[:1]) + key[1:]
			if other, ok := otherKeys[key]; ok {
				name = other
			}
			if !ownKeys[key] {
				value = capitals(value)
			}
			out[name] = value
		}
		return out
	}
	return v
}

// runLint runs cfn-lint over a template of the resources.
func runLint(t *testing.T, lint string, resources map[string]any) (string, error) {
	t.Helper()
	text, err := task.JSON(map[string]any{"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(testkit.WriteTree(t, map[string]string{"template.json": string(text)}), "template.json")
	out, err := exec.CommandContext(t.Context(), lint, "--regions", "eu-west-1", "--", path).CombinedOutput()
	return string(out), err
}
