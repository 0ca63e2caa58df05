package taskdef_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"slipway/internal/sandbox/awsapi"
	"slipway/internal/sandbox/ecs/taskdef"
)

// good is a definition for Fargate that is accepted.
const good = `{"family":"shop","requiresCompatibilities":["FARGATE"],"networkMode":"awsvpc","cpu":"512","memory":"1024",
"executionRoleArn":"arn:aws:iam::123456789012:role/execution","volumes":[{"name":"data"}],
"containerDefinitions":[{"name":"web","image":"nginx","portMappings":[{"containerPort":80}],"environment":[{"name":"A","value":"b"}]}]}`

// definition returns the good definition with fields of the task and of its container
// set to others, and with more containers.
func definition(t *testing.T, task, web string, more ...string) map[string]json.RawMessage {
	t.Helper()
	out := object(t, good)
	var containers []json.RawMessage
	if err := json.Unmarshal(out["containerDefinitions"], &containers); err != nil {
		t.Fatal(err)
	}
	container := object(t, string(containers[0]))
	for name, v := range object(t, web) {
		container[name] = v
	}
	containers[0] = encode(t, container)
	for _, c := range more {
		containers = append(containers, json.RawMessage(c))
	}
	out["containerDefinitions"] = encode(t, containers)
	for name, v := range object(t, task) {
		out[name] = v
	}
	return out
}

func object(t *testing.T, text string) map[string]json.RawMessage {
	t.Helper()
	out := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(cmp.Or(text, "{}")), &out); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out
}

func encode(t *testing.T, v any) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func ofECR(image string) bool { return strings.Contains(image, ".dkr.ecr.") }

func TestCheckAccepts(t *testing.T) {
	for name, in := range map[string]map[string]json.RawMessage{
		"the base":             definition(t, "", ""),
		"units with names":     definition(t, `{"cpu":".5 vCPU","memory":"2 GB"}`, ""),
		"the largest task":     definition(t, `{"cpu":"32768","memory":"249856"}`, ""),
		"the added capability": definition(t, "", `{"linuxParameters":{"capabilities":{"add":["SYS_PTRACE"],"drop":["ALL"]},"tmpfs":[{"containerPath":"/tmp","size":64}]}}`),
		"bounds":               definition(t, "", `{"stopTimeout":120,"healthCheck":{"command":["CMD","x"],"interval":300,"timeout":60,"retries":10,"startPeriod":300},"restartPolicy":{"enabled":true,"restartAttemptPeriod":60}}`),
		"secrets":              definition(t, "", `{"secrets":[{"name":"B","valueFrom":"/shop/b"},{"name":"C","valueFrom":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/c-a1b2c3:key::"},{"name":"D","valueFrom":"arn:aws:ssm:eu-west-1:123456789012:parameter/d"}]}`),
		"dependencies":         definition(t, "", `{"dependsOn":[{"containerName":"a","condition":"SUCCESS"},{"containerName":"b","condition":"HEALTHY"}]}`, `{"name":"a","image":"x","essential":false}`, `{"name":"b","image":"x","healthCheck":{"command":["CMD","x"]}}`),
		"tcp and udp":          definition(t, "", `{"portMappings":[{"containerPort":53,"hostPort":53},{"containerPort":53,"protocol":"udp"}]}`),
		"a log driver":         definition(t, "", `{"logConfiguration":{"logDriver":"awsfirelens"}}`),
		"a container instance": definition(t, `{"requiresCompatibilities":["EC2"],"networkMode":"bridge","cpu":null,"memory":null,"ipcMode":"host"}`,
			`{"memory":128,"privileged":true,"links":["db"],"portMappings":[{"containerPort":80,"hostPort":0}],"logConfiguration":{"logDriver":"json-file"}}`,
			`{"name":"db","image":"x","memory":128,"portMappings":[{"containerPort":80}]}`),
	} {
		if err := taskdef.Check(in, ofECR); err != nil {
			t.Errorf("%s is refused: %v", name, err)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	const side = `{"name":"side","image":"x"}`
	for _, test := range []struct {
		want, task, web string
		more            []string
	}{
		{"No Fargate configuration exists for given values: 512 CPU, 512 memory", `{"memory":"512"}`, "", nil},
		{"No Fargate configuration exists", `{"cpu":"16384","memory":"33792"}`, "", nil},
		{"No Fargate configuration exists", `{"cpu":"300"}`, "", nil},
		{"Invalid 'cpu' setting for task", `{"cpu":"half"}`, "", nil},
		{"'cpu' be defined at the task level", `{"cpu":null}`, "", nil},
		{"'memory' be defined at the task level", `{"memory":null}`, `{"memory":128}`, nil},
		{"only supports network mode ‘awsvpc’", `{"networkMode":"bridge"}`, "", nil},
		{"sum of all container 'cpu' values", "", `{"cpu":400}`, []string{`{"name":"side","image":"x","cpu":113}`}},
		{"'memory' cannot be greater than", "", `{"memory":1025}`, nil},
		{"memory reserved for all containers", "", `{"memory":1000}`, []string{`{"name":"side","image":"x","memoryReservation":25}`}},
		{"'memory' must be greater than 'memoryReservation'", "", `{"memory":100,"memoryReservation":100}`, nil},
		{"'memory' must be at least 6", "", `{"memory":5}`, nil},
		{"adding the Linux capability NET_ADMIN", "", `{"linuxParameters":{"capabilities":{"add":["SYS_PTRACE","NET_ADMIN"]}}}`, nil},
		{"privileged containers", "", `{"privileged":true}`, nil},
		{"do not support ipcMode", `{"ipcMode":"task"}`, "", nil},
		{"pidMode host", `{"pidMode":"host"}`, "", nil},
		{"placementConstraints", `{"placementConstraints":[{"type":"memberOf"}]}`, "", nil},
		{"devices", "", `{"linuxParameters":{"devices":[{"hostPath":"/dev/fuse"}]}}`, nil},
		{"sharedMemorySize", "", `{"linuxParameters":{"sharedMemorySize":64}}`, nil},
		{"maxSwap", "", `{"linuxParameters":{"maxSwap":64}}`, nil},
		{"swappiness", "", `{"linuxParameters":{"swappiness":0}}`, nil},
		{"dockerSecurityOptions", "", `{"dockerSecurityOptions":["no-new-privileges"]}`, nil},
		{"type GPU", "", `{"resourceRequirements":[{"type":"GPU","value":"1"}]}`, nil},
		{"log driver json-file", "", `{"logConfiguration":{"logDriver":"json-file"}}`, nil},
		{"host.sourcePath should not be set", `{"volumes":[{"name":"data","host":{"sourcePath":"/srv"}}]}`, "", nil},
		{"dockerVolumeConfiguration", `{"volumes":[{"name":"data","dockerVolumeConfiguration":{}}]}`, "", nil},
		{"stopTimeout must be between 2 and 120", "", `{"stopTimeout":121}`, nil},
		{"Links are not supported when networkMode=awsvpc", "", `{"links":["side"]}`, []string{side}},
		{"Extra hosts are not supported", "", `{"extraHosts":[{"hostname":"a","ipAddress":"1.2.3.4"}]}`, nil},
		{"Hostname is not supported", "", `{"hostname":"a"}`, nil},
		{"DNS servers are not supported", "", `{"dnsServers":["1.1.1.1"]}`, nil},
		{"DNS search domains are not supported", "", `{"dnsSearchDomains":["a"]}`, nil},
		{"Disabled networking is not supported", "", `{"disableNetworking":true}`, nil},
		{"host ports and container ports in port mappings must match", "", `{"portMappings":[{"containerPort":80,"hostPort":8080}]}`, nil},
		{"Invalid 'containerPort'", "", `{"portMappings":[{"containerPort":65536}]}`, nil},
		{"Invalid 'protocol'", "", `{"portMappings":[{"containerPort":80,"protocol":"sctp"}]}`, nil},
		{"TCP host port '80' is mapped multiple times in task.", "", "", []string{`{"name":"side","image":"x","portMappings":[{"containerPort":80}]}`}},
		{"health check interval must be between 5 and 300", "", `{"healthCheck":{"command":["CMD","x"],"interval":4}}`, nil},
		{"health check timeout must be between 2 and 60", "", `{"healthCheck":{"command":["CMD","x"],"timeout":61}}`, nil},
		{"health check retries must be between 1 and 10", "", `{"healthCheck":{"command":["CMD","x"],"retries":0}}`, nil},
		{"health check startPeriod must be between 0 and 300", "", `{"healthCheck":{"command":["CMD","x"],"startPeriod":301}}`, nil},
		{"health check must have a command", "", `{"healthCheck":{"command":[]}}`, nil},
		{"restartAttemptPeriod must be between 60 and 1800", "", `{"restartPolicy":{"enabled":true,"restartAttemptPeriod":59}}`, nil},
		{"tmpfs must have", "", `{"linuxParameters":{"tmpfs":[{"containerPath":"/tmp"}]}}`, nil},
		{"Unknown volume 'other'", "", `{"mountPoints":[{"sourceVolume":"other","containerPath":"/x"}]}`, nil},
		{"to be HEALTHY, which has no health check", "", `{"dependsOn":[{"containerName":"side","condition":"HEALTHY"}]}`, []string{side}},
		{"which is not in the task definition", "", `{"dependsOn":[{"containerName":"side","condition":"START"}]}`, nil},
		{"SUCCESS or COMPLETE condition cannot be an essential container", "", `{"dependsOn":[{"containerName":"side","condition":"COMPLETE"}]}`, []string{side}},
		{"Unknown condition 'RUNNING'", "", `{"dependsOn":[{"containerName":"side","condition":"RUNNING"}]}`, []string{side}},
		{"cycle of container dependencies", "", `{"dependsOn":[{"containerName":"web","condition":"START"}]}`, nil},
		{"cycle of container dependencies", "", `{"dependsOn":[{"containerName":"side","condition":"START"}]}`, []string{`{"name":"side","image":"x","dependsOn":[{"containerName":"web","condition":"START"}]}`}},
		{"must be marked as essential", "", `{"essential":false}`, nil},
		{"cannot have more than 10 entries", "", "", strings.Split(strings.Repeat(side+" ", 9)+side, " ")},
		{"requires options: awslogs-region, awslogs-group, awslogs-stream-prefix", "", `{"logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"a","awslogs-region":"b"}}}`, nil},
		{"Role is not valid", `{"executionRoleArn":"EXECUTION_ROLE_ARN"}`, "", nil},
		{"execution role ARN to support ECR images", `{"executionRoleArn":null}`, `{"image":"123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop:1"}`, nil},
		{"execution role ARN to support log driver awslogs", `{"executionRoleArn":null}`, `{"logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"a","awslogs-region":"b","awslogs-stream-prefix":"c"}}}`, nil},
		{"must also specify a value for 'executionRoleArn'", `{"executionRoleArn":null}`, `{"secrets":[{"name":"B","valueFrom":"b"}]}`, nil},
		{"not shared with any new or existing environment variables", "", `{"secrets":[{"name":"A","valueFrom":"a"}]}`, nil},
		{"Systems Manager parameter name specified for secret B is invalid", "", `{"secrets":[{"name":"B","valueFrom":"shop:b"}]}`, nil},
		{"valueFrom of secret B must be a full ARN", "", `{"secrets":[{"name":"B","valueFrom":"arn:aws:secretsmanager:::secret:b"}]}`, nil},
		{"Secrets must have a name and valueFrom", "", `{"secrets":[{"name":"B"}]}`, nil},
		{"Max allowed length is '65536' bytes", "", `{"environment":[{"name":"A","value":"` + strings.Repeat("x", 64<<10) + `"}]}`, nil},
	} {
		err := taskdef.Check(definition(t, test.task, test.web, test.more...), ofECR)
		var refused *awsapi.Error
		if !errors.As(err, &refused) || refused.Code != "ClientException" || !strings.Contains(refused.Message, test.want) {
			t.Errorf("task %s, web %.80s, more %v: got %v, want ClientException: …%s…", test.task, test.web, test.more, err, test.want)
		}
	}
}
