package diff_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"slipway/rollout/task"
	"slipway/rollout/task/diff"
)

// Whatever two definitions are, the merged one has no difference any more, its tags
// prove it, and nothing of others is lost.
func TestApplyingTwice(t *testing.T) {
	for seed := range uint64(800) {
		r := rand.New(rand.NewPCG(seed, 7))
		d := randomDerived(t, r)
		run := randomRunning(t, r)
		got := compare(t, d, run)
		after := again(t, d, got)
		if len(after.Changes) > 0 || after.Written != diff.Proven || encode(t, after.Fields) != encode(t, got.Fields) || encode(t, after.Tags) != encode(t, got.Tags) {
			t.Fatalf("seed %d: applied again, it differs in\n%s\nproof %d\n%s\n%s", seed, lines(t, after.Changes), after.Written, encode(t, got.Fields), encode(t, after.Fields))
		}
		was, is := foreign(encode(t, run.Fields)), foreign(encode(t, got.Fields))
		if was != is {
			t.Fatalf("seed %d: the fields of others were %s and are %s", seed, was, is)
		}
		if len(got.Changes) == 0 && encode(t, run.Fields) != encode(t, got.Fields) {
			t.Fatalf("seed %d: no difference, but %s became %s", seed, encode(t, run.Fields), encode(t, got.Fields))
		}
	}
}

// foreign returns the values that begin with "foreign", in order.
func foreign(text string) string {
	var out []string
	for _, part := range strings.Split(text, `"`) {
		if strings.HasPrefix(part, "foreign") {
			out = append(out, part)
		}
	}
	return strings.Join(out, " ")
}

// some returns a part of the texts, joined by commas.
func some(r *rand.Rand, texts ...string) string {
	var out []string
	for _, text := range texts {
		if r.IntN(2) == 0 {
			out = append(out, text)
		}
	}
	return strings.Join(out, ", ")
}

// randomFields returns owned fields of a container.
func randomFields(r *rand.Rand) []string {
	n := func() int { return r.IntN(3) }
	return []string{
		fmt.Sprintf(`"essential": %t`, n() > 0),
		fmt.Sprintf(`"user": "u%d"`, n()), fmt.Sprintf(`"cpu": %d`, n()), fmt.Sprintf(`"stopTimeout": %d`, n()),
		fmt.Sprintf(`"command": ["c%d"]`, n()), fmt.Sprintf(`"interactive": %t`, n() == 0),
		fmt.Sprintf(`"portMappings": [%s]`, some(r, fmt.Sprintf(`{"containerPort": 80, "protocol": "tcp", "name": "n%d"}`, n()), `{"containerPort": 53, "protocol": "udp"}`)),
		fmt.Sprintf(`"environment": [%s]`, some(r, fmt.Sprintf(`{"name": "A", "value": "%d"}`, n()), `{"name": "B", "value": ""}`)),
		fmt.Sprintf(`"secrets": [%s]`, some(r, fmt.Sprintf(`{"name": "S", "valueFrom": "/%d"}`, n()), `{"name": "T", "valueFrom": "/t"}`)),
		fmt.Sprintf(`"healthCheck": {"command": ["CMD", "%d"], "interval": 3%d, "timeout": 5, "retries": 3}`, n(), n()),
		fmt.Sprintf(`"restartPolicy": {"enabled": true, "ignoredExitCodes": [%d, 1], "restartAttemptPeriod": 300}`, n()),
		fmt.Sprintf(`"dockerLabels": {"l": "%d"}`, n()),
		fmt.Sprintf(`"ulimits": [{"name": "nofile", "softLimit": %d, "hardLimit": 9}]`, n()),
		fmt.Sprintf(`"systemControls": [{"namespace": "net.x", "value": "%d"}]`, n()),
		fmt.Sprintf(`"linuxParameters": {"initProcessEnabled": %t, "capabilities": {"drop": ["KILL", "C%d"]}, "tmpfs": [{"containerPath": "/t", "size": %d}]}`, n() == 0, n(), 1+n()),
		fmt.Sprintf(`"mountPoints": [{"sourceVolume": "v%d", "containerPath": "/v"}]`, n()),
		fmt.Sprintf(`"logConfiguration": {"logDriver": "d%d", "options": {"o": "%d"}}`, n(), n()),
	}
}

func randomDerived(t testing.TB, r *rand.Rand) task.Definition {
	t.Helper()
	var containers []string
	for _, name := range []string{"a", "b", "c"} {
		if r.IntN(3) > 0 {
			containers = append(containers, container(name, some(r, randomFields(r)...)))
		}
	}
	d := definition(t, fmt.Sprintf(`"cpu": "%d", "memory": "512", "containerDefinitions": [%s], "volumes": [%s]`, 256<<r.IntN(2), strings.Join(containers, ","),
		some(r, `{"name": "v0", "efsVolumeConfiguration": {"fileSystemId": "fs-0", "transitEncryption": "ENABLED", "authorizationConfig": {"iam": "ENABLED"}}}`)))
	d.Keep, d.Built = map[string][]string{"a": {"K_*"}}, []string{"a"}
	return d
}

// randomRunning returns a running definition in which others own some parts.
func randomRunning(t testing.TB, r *rand.Rand) diff.Running {
	t.Helper()
	var containers []string
	for _, name := range []string{"b", "x", "a"} {
		fields := randomFields(r)
		if name == "x" {
			fields = []string{`"environment": [{"name": "foreign1", "value": "foreign2"}]`, `"dependsOn": [{"containerName": "a", "condition": "START"}]`, `"mountPoints": [{"sourceVolume": "foreign3", "containerPath": "/f"}]`}
		}
		fields = append(fields, `"foreignField": {"foreign4": [1.50, 12345678901234567890]}`)
		if name == "a" {
			fields = append(fields, `"environment": [{"name": "K_A", "value": "foreign5"}]`)
		}
		if name == "x" || r.IntN(3) > 0 {
			text := some(r, fields...)
			if strings.Count(text, `"environment"`) > 1 {
				text = `"environment": [{"name": "K_A", "value": "foreign5"}, {"name": "OLD", "value": "o"}]`
			}
			containers = append(containers, container(name, text))
		}
	}
	return diff.Running{
		Fields: decode(t, fmt.Sprintf(`{"foreignTop": "foreign6", "networkMode": "awsvpc", "containerDefinitions": [%s], "volumes": [%s]}`, strings.Join(containers, ","),
			some(r, `{"name": "foreign7"}`, `{"name": "v0"}`))),
		Tags: []any{map[string]any{"key": "foreign9", "value": ""}},
	}
}
