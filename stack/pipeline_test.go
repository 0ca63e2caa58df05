package stack_test

import (
	"encoding/json"
	"strings"
	"testing"

	"slipway/buildspec/iam"
)

// job is a resolver for the pipeline of one ECS service.
func job(t *testing.T) resolver {
	return resolver{
		t: t,
		values: map[string]string{
			"AWS::Partition": "aws", "AWS::Region": "eu-west-1", "AWS::AccountId": "123456789012",
			"Repositories": "shop/web", "Cluster": "main", "Service": "web",
			"SiteStack": "site", "Secrets": "shop/db", "Before": "shop-migrate",
		},
		conditions: map[string]bool{"HasSecrets": true, "HasBefore": true},
		imports: map[string]string{
			"ExecutionRole": "arn:aws:iam::123456789012:role/execution", "TaskRole": "arn:aws:iam::123456789012:role/task", "LogGroup": "/ecs/shop",
		},
	}
}

// TestBuildRole: the role of the job has the policy that `slipway buildspec iam` prints,
// statement by statement.
func TestBuildRole(t *testing.T) {
	use := iam.Use{
		Commands: []string{"build"}, CreateRepositories: true, CreateService: true, Rollout: true, Tags: true,
		Scope: iam.Scope{
			Region: "eu-west-1", Account: "123456789012",
			Repositories: []iam.Repository{{Name: "shop/web"}}, Services: []iam.Service{{Cluster: "main", Service: "web"}},
			Roles: []string{"execution", "task"}, LogGroups: []string{"/ecs/shop"},
			Stack: "site", Secrets: []string{"shop/db"}, Before: []string{"shop-migrate"},
		},
	}
	want, err := use.Policy()
	if err != nil {
		t.Fatal(err)
	}
	var got iam.Policy
	for _, p := range document(t, "pipeline", "Resources", "BuildRole", "Properties", "Policies").Content {
		if child(p, "PolicyName").Value != "slipway" {
			continue
		}
		text, err := json.Marshal(job(t).resolve(child(p, "PolicyDocument")))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
	}
	if len(got.Statement) != len(want.Statement) {
		t.Errorf("the template has %d statements, slipway buildspec iam %d", len(got.Statement), len(want.Statement))
	}
	for i := range min(len(got.Statement), len(want.Statement)) {
		g, _ := json.Marshal(got.Statement[i])
		w, _ := json.Marshal(want.Statement[i])
		if string(g) != string(w) {
			t.Errorf("statement %d is\n%s, want\n%s", i, g, w)
		}
	}
}

// TestPipeline: one new version of the source starts the pipeline once, and the source
// does not expire.
func TestPipeline(t *testing.T) {
	text := find(t, "pipeline").Text
	for _, want := range []string{
		`PollForSourceChanges: "false"`, "EventBridgeEnabled: true", "PrivilegedMode: true", "NoncurrentVersionExpiration: {NoncurrentDays: 7}",
		`{Name: SLIPWAY_ROLLOUT, Value: "true"}`, `{Name: SLIPWAY_CREATE_SERVICE, Value: "true"}`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the template lacks %s", want)
		}
	}
	if child(document(t, "pipeline", "Resources", "SourceBucket", "Properties", "LifecycleConfiguration", "Rules").Content[0], "ExpirationInDays") != nil {
		t.Error("the current version of the source expires")
	}
	for _, r := range []string{"AWS::CodeStarConnections::Connection", "AWS::CodeConnections::Connection"} {
		if strings.Contains(text, r) {
			t.Errorf("the template makes a %s, which is pending until somebody confirms it", r)
		}
	}
}
