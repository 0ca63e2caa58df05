package diff_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"slipway/rollout/task"
	"slipway/rollout/task/diff"
)

// decode reads JSON with its numbers as they are.
func decode(t testing.TB, text string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var out map[string]any
	if err := d.Decode(&out); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out
}

func encode(t testing.TB, v any) string {
	t.Helper()
	text, err := task.JSON(v)
	var out bytes.Buffer
	if err == nil {
		err = json.Compact(&out, text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// derived returns a definition with one container web, to which the fields are added.
func derived(t testing.TB, web string) task.Definition {
	t.Helper()
	return definition(t, `"cpu": "256", "memory": "512", "containerDefinitions": [`+container("web", web)+`]`)
}

func definition(t testing.TB, input string) task.Definition {
	t.Helper()
	out := task.Definition{}
	text := `{"family": "shop", "executionRoleArn": "EXECUTION_ROLE_ARN", "taskRoleArn": "TASK_ROLE_ARN", ` + input + `}`
	if err := json.Unmarshal([]byte(text), &out.Input); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out
}

func container(name, fields string) string {
	return strings.TrimSuffix(fmt.Sprintf(`{"name": %q, "image": "%s:1", "essential": true, %s`, name, name, fields), ", ") + "}"
}

// running returns what ECS returns for a definition with one container web.
func running(t testing.TB, web string) diff.Running {
	t.Helper()
	return diff.Running{Fields: decode(t, `{"taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/shop:7", "family": "shop",
		"networkMode": "awsvpc", "cpu": "256", "memory": "512", "containerDefinitions": [`+container("web", web)+`]}`)}
}

func compare(t testing.TB, d task.Definition, r diff.Running) diff.Result {
	t.Helper()
	before := encode(t, r.Fields)
	out, err := diff.Compare(d, r)
	if err != nil {
		t.Fatal(err)
	}
	if after := encode(t, r.Fields); after != before {
		t.Errorf("the running definition was changed from %s to %s", before, after)
	}
	return out
}

// lines returns differences as container.field: old → new.
func lines(t testing.TB, changes []diff.Change) string {
	t.Helper()
	var out []string
	for _, c := range changes {
		out = append(out, strings.Trim(c.Container+"."+c.Field, ".")+": "+encode(t, c.Old)+" → "+encode(t, c.New))
	}
	return strings.Join(out, "\n")
}

// again compares a definition with the merged one, as ECS returns it after it was
// registered.
func again(t testing.TB, d task.Definition, r diff.Result) diff.Result {
	t.Helper()
	return compare(t, d, diff.Running{Fields: decode(t, encode(t, r.Fields)), Tags: decode(t, `{"tags":`+encode(t, r.Tags)+`}`)["tags"].([]any)})
}

func TestCompare(t *testing.T) {
	for _, x := range []struct{ name, derived, running, changes, web string }{
		{"equal", ``, ``, ``, ``},
		{"ECS's defaults", `"portMappings": [{"containerPort": 80, "protocol": "tcp"}], "environment": [{"name": "A", "value": "1"}]`,
			`"cpu": 0, "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}], "environment": [{"name": "A", "value": "1"}], "mountPoints": [], "volumesFrom": [], "systemControls": [], "interactive": false`, ``, ``},
		{"no protocol", `"portMappings": [{"containerPort": 80, "protocol": "tcp"}]`, `"portMappings": [{"containerPort": 80}]`, ``, ``},
		{"lists in another order", `"environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}], "linuxParameters": {"capabilities": {"drop": ["KILL", "MKNOD"]}}`,
			`"environment": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}], "linuxParameters": {"capabilities": {"drop": ["MKNOD", "KILL"], "add": []}, "devices": []}`, ``, ``},
		{"a default health check", `"healthCheck": {"command": ["CMD", "x"], "interval": 30, "timeout": 5, "retries": 3}`,
			`"healthCheck": {"command": ["CMD", "x"], "startPeriod": 0}`, ``, ``},
		{"a default restart policy", ``, `"restartPolicy": {"enabled": false, "ignoredExitCodes": []}`, ``, ``},
		{"variables", `"environment": [{"name": "A", "value": "1"}, {"name": "NEW", "value": ""}]`,
			`"environment": [{"name": "OLD", "value": "x"}, {"name": "A", "value": "0", "future": true}]`,
			"web.environment.A: \"0\" → \"1\"\nweb.environment.OLD: \"x\" → null\nweb.environment.NEW: null → \"\"",
			`"environment":[{"future":true,"name":"A","value":"1"},{"name":"NEW","value":""}]`},
		{"a variable that is there twice", `"environment": [{"name": "A", "value": "1"}]`,
			`"environment": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]`,
			`web.environment.A: "2" → "1"`, `"environment":[{"name":"A","value":"1"}]`},
		{"the order of a command", `"command": ["a", "b"]`, `"command": ["b", "a"]`, `web.command: ["b","a"] → ["a","b"]`, `"command":["a","b"]`},
		{"a field that the compose file has no more", ``, `"user": "root", "futureField": [1.50]`, `web.user: "root" → null`, `"futureField":[1.50]`},
		{"an object with a field of others", `"healthCheck": {"command": ["CMD", "y"], "interval": 10, "timeout": 5, "retries": 3}`,
			`"healthCheck": {"command": ["CMD", "x"], "interval": 10, "future": 9007199254740993}`,
			`web.healthCheck.command: ["CMD","x"] → ["CMD","y"]`, `"healthCheck":{"command":["CMD","y"],"future":9007199254740993,"interval":10}`},
		{"an object that goes", ``, `"healthCheck": {"command": ["CMD", "x"]}, "restartPolicy": {"enabled": true}`,
			"web.healthCheck.command: [\"CMD\",\"x\"] → null\nweb.restartPolicy.enabled: true → null", ``},
		{"a port of others in it", `"portMappings": [{"containerPort": 80, "protocol": "tcp", "name": "http"}]`,
			`"portMappings": [{"containerPort": 80, "hostPort": 80, "future": 1}, {"containerPort": 81}]`,
			"web.portMappings.81/tcp: {\"containerPort\":81} → null\nweb.portMappings.80/tcp: {\"containerPort\":80,\"future\":1,\"hostPort\":80} → {\"containerPort\":80,\"name\":\"http\",\"protocol\":\"tcp\"}",
			`"portMappings":[{"containerPort":80,"future":1,"hostPort":80,"name":"http"}]`},
		{"two protocols of a port", `"portMappings": [{"containerPort": 53, "protocol": "tcp"}, {"containerPort": 53, "protocol": "udp"}]`,
			`"portMappings": [{"containerPort": 53, "protocol": "udp"}]`, `web.portMappings.53/tcp: null → {"containerPort":53,"protocol":"tcp"}`,
			`"portMappings":[{"containerPort":53,"protocol":"udp"},{"containerPort":53,"protocol":"tcp"}]`},
		{"labels, limits and mounts", `"dockerLabels": {"a": "1", "b": "2"}, "ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 2}], "mountPoints": []`,
			`"dockerLabels": {"a": "0", "c": "3"}, "ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 1}, {"name": "core", "softLimit": 0, "hardLimit": 0}], "mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}]`,
			"web.dockerLabels.a: \"0\" → \"1\"\nweb.dockerLabels.b: null → \"2\"\nweb.dockerLabels.c: \"3\" → null\nweb.mountPoints./v: {\"containerPath\":\"/v\",\"sourceVolume\":\"v\"} → null\n" +
				"web.ulimits.core: {\"hardLimit\":0,\"name\":\"core\",\"softLimit\":0} → null\nweb.ulimits.nofile: {\"hardLimit\":1,\"name\":\"nofile\",\"softLimit\":1} → {\"hardLimit\":2,\"name\":\"nofile\",\"softLimit\":1}",
			`"dockerLabels":{"a":"1","b":"2"},"ulimits":[{"hardLimit":2,"name":"nofile","softLimit":1}]`},
		{"a log with a secret of others", `"logConfiguration": {"logDriver": "splunk", "options": {"splunk-url": "https://b"}}`,
			`"logConfiguration": {"logDriver": "splunk", "options": {"splunk-url": "https://a"}, "secretOptions": [{"name": "splunk-token", "valueFrom": "x"}]}`,
			`web.logConfiguration.options.splunk-url: "https://a" → "https://b"`,
			`"logConfiguration":{"logDriver":"splunk","options":{"splunk-url":"https://b"},"secretOptions":[{"name":"splunk-token","valueFrom":"x"}]}`},
		{"a variable becomes a secret", `"secrets": [{"name": "A", "valueFrom": "/a"}]`, `"environment": [{"name": "A", "value": "x"}]`,
			"web.environment.A: \"x\" → null\nweb.secrets.A: null → \"/a\"", `"secrets":[{"name":"A","valueFrom":"/a"}]`},
		{"not essential", `"essential": false`, ``, `web.essential: true → false`, `"essential":false`},
		{"an image without a build section", `"image": "web:2"`, ``, `web.image: "web:1" → "web:2"`, `"image":"web:2"`},
	} {
		t.Run(x.name, func(t *testing.T) {
			d := derived(t, x.derived)
			got := compare(t, d, running(t, x.running))
			if changes := lines(t, got.Changes); changes != x.changes {
				t.Errorf("got the differences\n%s\nwant\n%s", changes, x.changes)
			}
			if x.changes == "" {
				if want := running(t, x.running).Fields; !reflect.DeepEqual(got.Fields, want) {
					t.Errorf("got %s, want %s", encode(t, got.Fields), encode(t, want))
				}
				return
			}
			want := map[string]any{"name": "web", "image": "web:1", "essential": true}
			for name, v := range decode(t, "{"+x.web+"}") {
				want[name] = v
			}
			if web := got.Fields["containerDefinitions"].([]any)[0]; encode(t, web) != encode(t, want) {
				t.Errorf("got %s, want %s", encode(t, web), encode(t, want))
			}
			if after := again(t, d, got); len(after.Changes) > 0 || after.Written != diff.Proven || !reflect.DeepEqual(after.Tags, got.Tags) {
				t.Errorf("applied again, it differs in %s, proof %d, tags %v, before %v", lines(t, after.Changes), after.Written, after.Tags, got.Tags)
			}
		})
	}
}

// The fields of the task that a compose file has words for.
func TestCompareTask(t *testing.T) {
	for _, x := range []struct{ name, derived, running, changes string }{
		{"units", `"cpu": "1024", "memory": "2048"`, `"cpu": "1 vCPU", "memory": "2 GB"`, ``},
		{"parts", `"cpu": "256", "memory": "512"`, `"cpu": ".25 vcpu", "memory": "0.5GB"`, ``},
		{"another size", `"cpu": "1024", "memory": "2048"`, `"cpu": "0.5 vCPU", "memory": "2GB"`, `cpu: "0.5 vCPU" → "1024"`},
		{"the default platform", `"runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"}, "cpu": "256", "memory": "512"`, `"cpu": "256", "memory": "512"`, ``},
		{"another platform", `"cpu": "256", "memory": "512"`, `"cpu": "256", "memory": "512", "runtimePlatform": {"cpuArchitecture": "ARM64"}`, `runtimePlatform.cpuArchitecture: "ARM64" → null`},
		{"what others own", `"cpu": "256", "memory": "512"`, `"cpu": "256", "memory": "512", "executionRoleArn": "arn:e", "taskRoleArn": "arn:t", "ephemeralStorage": {"sizeInGiB": 30}, "proxyConfiguration": {"containerName": "envoy"}, "volumes": [{"name": "scratch"}]`, ``},
		{"a volume", `"cpu": "256", "memory": "512", "volumes": [{"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-1", "transitEncryption": "ENABLED", "authorizationConfig": {"iam": "ENABLED"}}}]`,
			`"cpu": "256", "memory": "512", "volumes": [{"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-1", "transitEncryption": "ENABLED", "rootDirectory": "/", "authorizationConfig": {"iam": "ENABLED"}}}]`, ``},
	} {
		t.Run(x.name, func(t *testing.T) {
			d := definition(t, x.derived)
			r := diff.Running{Fields: decode(t, "{"+x.running+"}")}
			got := compare(t, d, r)
			if changes := lines(t, got.Changes); changes != x.changes {
				t.Errorf("got the differences\n%s\nwant\n%s", changes, x.changes)
			}
			if after := again(t, d, got); len(after.Changes) > 0 || after.Written != diff.Proven {
				t.Errorf("applied again, it differs in %s, proof %d", lines(t, after.Changes), after.Written)
			}
			for name, v := range r.Fields {
				if !slices.Contains([]string{"cpu", "memory", "runtimePlatform"}, name) && !reflect.DeepEqual(got.Fields[name], v) {
					t.Errorf("%s was %s and is %s", name, encode(t, v), encode(t, got.Fields[name]))
				}
			}
		})
	}
}

// Case 10 of the specification: an agent and its variable are others'.
func TestCompareAdopts(t *testing.T) {
	r := diff.Running{Fields: decode(t, `{"networkMode": "awsvpc", "cpu": "256", "memory": "512", "proxyConfiguration": {"containerName": "envoy"}, "containerDefinitions": [
		{"name": "datadog-agent", "image": "agent", "dependsOn": [{"containerName": "web", "condition": "START"}]},
		`+container("web", `"environment": [{"name": "DD_SITE", "value": "eu"}, {"name": "LOG_LEVEL", "value": "info"}], "dependsOn": [{"containerName": "datadog-agent", "condition": "START"}]`)+`]}`),
		Tags: []any{map[string]any{"key": "team", "value": "shop"}}}
	d := derived(t, `"environment": [{"name": "LOG_LEVEL", "value": "debug"}]`)
	got := compare(t, d, r)
	const both = "web.environment.LOG_LEVEL: \"info\" → \"debug\"\nweb.environment.DD_SITE: \"eu\" → null"
	if changes := lines(t, got.Changes); changes != both || got.Written != diff.Untagged {
		t.Errorf("without keep: %s, proof %d, want %s", changes, got.Written, both)
	}
	if keep := diff.Keep(got.Changes); !reflect.DeepEqual(keep, map[string][]string{"web": {"DD_*"}}) {
		t.Errorf("keep %v, want DD_*", keep)
	}
	d.Keep = map[string][]string{"web": {"DD_*"}}
	got = compare(t, d, r)
	const level = `web.environment.LOG_LEVEL: "info" → "debug"`
	if changes := lines(t, got.Changes); changes != level {
		t.Errorf("with keep: %s, want %s", changes, level)
	}
	want := strings.Replace(encode(t, r.Fields), `"info"`, `"debug"`, 1)
	if fields := encode(t, got.Fields); fields != want {
		t.Errorf("got %s, want %s", fields, want)
	}
	if tags := encode(t, got.Tags); !strings.HasPrefix(tags, `[{"key":"team","value":"shop"},{"key":"slipway:settings","value":"`) || !strings.HasSuffix(tags, `{"key":"slipway:containers","value":"web"}]`) {
		t.Errorf("tags %s", tags)
	}
	after := again(t, d, got)
	if len(after.Changes) > 0 || after.Written != diff.Proven {
		t.Errorf("again: %s, proof %d", lines(t, after.Changes), after.Written)
	}
}

// Only a definition whose owned part is that of the tag was written by Slipway.
func TestWritten(t *testing.T) {
	d := derived(t, `"environment": [{"name": "A", "value": "1"}]`)
	d.Keep = map[string][]string{"web": {"DD_*"}}
	registered := compare(t, d, running(t, ``))
	for _, x := range []struct {
		name, from, to string
		want           diff.Written
	}{
		{"as it was", ``, ``, diff.Proven},
		{"another image", `"image":"web:1"`, `"image":"web:2"`, diff.Proven},
		{"a kept variable", `{"name":"A",`, `{"name":"DD_SITE","value":"eu"},{"name":"A",`, diff.Proven},
		{"a field of others", `"name":"web"`, `"name":"web","future":1`, diff.Proven},
		{"another container", `[{"environment"`, `[{"name":"agent"},{"environment"`, diff.Proven},
		{"ECS's defaults", `"name":"web"`, `"name":"web","cpu":0,"mountPoints":[]`, diff.Proven},
		{"a value", `"value":"1"`, `"value":"2"`, diff.Altered},
		{"a variable", `{"name":"A",`, `{"name":"B","value":""},{"name":"A",`, diff.Altered},
		{"the size", `"cpu":"256"`, `"cpu":"512"`, diff.Altered},
		{"the container", `"name":"web"`, `"name":"app"`, diff.Altered},
	} {
		text := encode(t, registered.Fields)
		if !strings.Contains(text, x.from) {
			t.Fatalf("%s: %s is not in %s", x.name, x.from, text)
		}
		r := diff.Running{Fields: decode(t, strings.Replace(text, x.from, x.to, 1)), Tags: registered.Tags}
		if got := compare(t, d, r); got.Written != x.want {
			t.Errorf("%s: proof %d, want %d", x.name, got.Written, x.want)
		}
	}
	for n := range registered.Tags {
		r := diff.Running{Fields: registered.Fields, Tags: slices.Delete(slices.Clone(registered.Tags), n, n+1)}
		if got := compare(t, d, r); got.Written != diff.Untagged {
			t.Errorf("without tag %d: proof %d, want %d", n, got.Written, diff.Untagged)
		}
	}
}

// A container goes only if the tag names it, with all that refers to it.
func TestRemovedContainer(t *testing.T) {
	all := definition(t, `"cpu": "256", "memory": "512", "containerDefinitions": [`+container("old", `"mountPoints": [{"sourceVolume": "data", "containerPath": "/d"}]`)+","+
		container("web", `"dependsOn": [{"containerName": "old", "condition": "START"}]`)+`], "volumes": [{"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-1", "transitEncryption": "ENABLED", "authorizationConfig": {"iam": "ENABLED"}}}]`)
	start := running(t, ``)
	start.Fields["containerDefinitions"] = append(start.Fields["containerDefinitions"].([]any),
		decode(t, `{"name": "agent", "dependsOn": [{"containerName": "old", "condition": "START"}, {"containerName": "web", "condition": "START"}], "volumesFrom": [{"sourceContainer": "old"}]}`))
	registered := compare(t, all, start)
	d := derived(t, ``)
	got := again(t, d, registered)
	var where []string
	for _, c := range got.Changes {
		where = append(where, c.Container+"."+c.Field)
	}
	if want := []string{".volumes.data", "web.dependsOn.old", "old."}; !slices.Equal(where, want) {
		t.Errorf("differences %v, want %v", where, want)
	}
	text := encode(t, got.Fields)
	if strings.Contains(text, `"old"`) || strings.Contains(text, "fs-1") || !strings.Contains(text, `"dependsOn":[{"condition":"START","containerName":"web"}]`) {
		t.Errorf("got %s", text)
	}
	if after := again(t, d, got); len(after.Changes) > 0 || after.Written != diff.Proven {
		t.Errorf("again: %s, proof %d", lines(t, after.Changes), after.Written)
	}
	untagged := compare(t, d, diff.Running{Fields: registered.Fields})
	if text := encode(t, untagged.Fields); !strings.Contains(text, `"name":"old"`) || !strings.Contains(text, "fs-1") {
		t.Errorf("without the tag, the container or its volume is gone: %s", text)
	}
}

// Names of containers that do not fit into one tag are in several.
func TestManyContainers(t *testing.T) {
	var containers []string
	for n := range 10 {
		containers = append(containers, container(strings.Repeat("x", 200)+fmt.Sprint(n), ""))
	}
	d := definition(t, `"cpu": "256", "memory": "512", "containerDefinitions": [`+strings.Join(containers, ",")+`]`)
	got := compare(t, d, diff.Running{})
	for _, tag := range got.Tags {
		if value := tag.(map[string]any)["value"].(string); len(value) > 256 {
			t.Errorf("the value %s has %d characters, ECS takes 256", value, len(value))
		}
	}
	after := again(t, derived(t, ""), got)
	if n := len(after.Fields["containerDefinitions"].([]any)); n != 1 {
		t.Errorf("%d containers are left, want 1", n)
	}
	if len(after.Tags) != 2 {
		t.Errorf("tags %v, want two", after.Tags)
	}
}

// Values that only a stack knows come from the running definition.
func TestUnknownSurroundings(t *testing.T) {
	d := derived(t, `"environment": [{"name": "TABLE", "value": "OUTPUT_TABLE"}, {"name": "QUEUE", "value": "OUTPUT_QUEUE"}],
		"secrets": [{"name": "A", "valueFrom": "arn:aws:secretsmanager:REGION:ACCOUNT:secret:shop/a-SUFFIX"}, {"name": "B", "valueFrom": "arn:aws:secretsmanager:REGION:ACCOUNT:secret:shop/b-SUFFIX"}],
		"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "LOG_GROUP", "awslogs-region": "REGION"}}`)
	d.Outputs = map[string]map[string]string{"web": {"TABLE": "Table", "QUEUE": "Queue"}}
	d.Secrets = map[string]map[string]string{"web": {"A": "a", "B": "b"}}
	r := running(t, `"environment": [{"name": "TABLE", "value": "posts"}],
		"secrets": [{"name": "A", "valueFrom": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/a-AbCdEf"}, {"name": "B", "valueFrom": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/other-AbCdEf"}],
		"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/shop", "awslogs-region": "eu-west-1"}}`)
	got := compare(t, d, r)
	const want = `web.environment.QUEUE: null → "OUTPUT_QUEUE"
web.secrets.B: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/other-AbCdEf" → "arn:aws:secretsmanager:REGION:ACCOUNT:secret:shop/b-SUFFIX"`
	if changes := lines(t, got.Changes); changes != want {
		t.Errorf("got the differences\n%s\nwant\n%s", changes, want)
	}
	if unknown := fmt.Sprint(got.Unknown); unknown != "[web.environment.QUEUE web.secrets.B]" {
		t.Errorf("unknown are %s", unknown)
	}
	// A new container takes the log group of another one.
	r.Fields["containerDefinitions"].([]any)[0].(map[string]any)["name"] = "other"
	got = compare(t, d, r)
	if text := encode(t, got.Fields); strings.Contains(text, "LOG_GROUP") || strings.Count(text, "/ecs/shop") != 2 {
		t.Errorf("got %s", text)
	}
	// Known roles are compared.
	d = derived(t, ``)
	d.Input.TaskRoleARN = "arn:role"
	if changes := lines(t, compare(t, d, running(t, ``)).Changes); changes != `taskRoleArn: null → "arn:role"` {
		t.Errorf("differences %s, want that of the role", changes)
	}
}

// Built images are not settings.
func TestBuiltImages(t *testing.T) {
	d := derived(t, `"image": "web:2"`)
	d.Built = []string{"web"}
	got := compare(t, d, running(t, ``))
	if len(got.Changes) > 0 || !strings.Contains(encode(t, got.Fields), `"image":"web:1"`) {
		t.Errorf("differences %s, fields %s", lines(t, got.Changes), encode(t, got.Fields))
	}
}

func TestKeep(t *testing.T) {
	gone := func(name string) diff.Change { return diff.Change{Container: "web", Field: name, Old: "x"} }
	changes := []diff.Change{gone("environment.DD_SITE"), gone("secrets.DD_API_KEY"), gone("environment.PLAIN"), gone("environment.LOG_OLD"), gone("dockerLabels.x"),
		{Container: "web", Field: "environment.LOG_LEVEL", New: "x"}}
	if got, want := diff.Keep(changes), map[string][]string{"web": {"DD_*", "PLAIN", "LOG_OLD"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
