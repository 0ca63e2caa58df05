package derived_test

import (
	"strings"
	"testing"

	"slipway/cmd/derived"
	"slipway/rollout/ecs"
	"slipway/rollout/settings"
	"slipway/rollout/task"
	"slipway/rollout/task/diff"
)

func found() []settings.Difference {
	changes := []diff.Change{
		{Field: "cpu", Old: "256", New: "512"},
		{Container: "web", Field: "environment.LOG_LEVEL", Old: "info", New: "debug"},
		{Container: "web", Field: "environment.API_TOKEN", Old: "hush1", New: "hush2"},
		{Container: "web", Field: "environment.DATABASE", New: "postgres://user:hush3@db/shop"},
		{Container: "web", Field: "dockerLabels.password", New: "hush4"},
		{Container: "web", Field: "logConfiguration.options.splunk-token", Old: "hush5"},
		{Container: "web", Field: "command", Old: []any{"a"}, New: []any{"b", "<c>"}},
		{Container: "web", Field: "secrets.DB_PASSWORD", Rotated: true},
		{Container: "new", New: map[string]any{
			"name": "new", "environment": []any{map[string]any{"name": "DB_PASSWORD", "value": "hush6"}, map[string]any{"name": "A", "value": "plain"}},
			"dockerLabels": map[string]any{"secret": "hush7"},
		}},
	}
	running := ecs.Definition{ARN: "arn:aws:ecs:eu-west-1:123456789012:task-definition/shop:7"}
	return []settings.Difference{
		{Service: ecs.Ref{Cluster: "shop", Service: "web"}, Running: running, Result: diff.Result{Changes: changes}},
		{Service: ecs.Ref{Service: "api"}, Running: running},
	}
}

func printed(t *testing.T, terminal bool) string {
	t.Helper()
	var out strings.Builder
	if err := derived.PrintDifferences(&out, found(), terminal); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestPrintDifferences(t *testing.T) {
	const want = `shop/web  differs from task definition shop:7
  cpu: 256 → 512
  web.environment.LOG_LEVEL: info → debug
  web.environment.API_TOKEN: REDACTED → REDACTED
  web.environment.DATABASE: none → postgres://REDACTED@db/shop
  web.dockerLabels.password: none → REDACTED
  web.logConfiguration.options.splunk-token: REDACTED → none
  web.command: ["a"] → ["b","<c>"]
  web.secrets.DB_PASSWORD (new version)
  container new: none → {"dockerLabels":{"secret":"REDACTED"},"environment":[{"name":"DB_PASSWORD","value":"REDACTED"},{"name":"A","value":"plain"}],"name":"new"}
api  has the settings of task definition shop:7
`
	if got := printed(t, true); got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}

// Without a terminal, no value is printed, whatever it is called.
func TestPrintDifferencesWithoutValues(t *testing.T) {
	const want = `shop/web  differs from task definition shop:7
  cpu
  web.environment.LOG_LEVEL
  web.environment.API_TOKEN
  web.environment.DATABASE
  web.dockerLabels.password
  web.logConfiguration.options.splunk-token
  web.command
  web.secrets.DB_PASSWORD (new version)
  container new
api  has the settings of task definition shop:7
`
	if got := printed(t, false); got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}

func TestDifferences(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		data, err := task.JSON(derived.Differences(found(), terminal))
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		if strings.Contains(text, "hush") || strings.Contains(text, "debug") != terminal {
			t.Errorf("terminal %t: %s", terminal, text)
		}
		for _, part := range []string{`"field": "environment.LOG_LEVEL"`, `"equal": true`, `"container": "new"`, `"newVersion": true`} {
			if !strings.Contains(text, part) {
				t.Errorf("%s lacks %s", text, part)
			}
		}
	}
}
