package diff

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The rules below are the fields that package task derives, with the defaults of ECS
// (ContainerDefinition and TaskDefinition in the API reference).

var (
	value  = leaf{}
	flag   = leaf{absent: false}
	number = leaf{absent: json.Number("0")}
	list   = leaf{normal: sorted}
)

// containerRules are the owned fields of a container, apart from its name and its image.
var containerRules = fields{
	"essential":  leaf{absent: true},
	"entryPoint": value, "command": value, "workingDirectory": value, "user": value,
	"pseudoTerminal": flag, "interactive": flag, "readonlyRootFilesystem": flag,
	"cpu": number, "memory": number, "memoryReservation": number, "stopTimeout": number,
	"portMappings": keyed{key: portKey, item: portRules},
	"environment":  variables("value"),
	"secrets":      variables("valueFrom"),
	"healthCheck": fields{
		"command": value, "interval": leaf{absent: json.Number("30")}, "timeout": leaf{absent: json.Number("5")},
		"retries": leaf{absent: json.Number("3")}, "startPeriod": number,
	},
	"dependsOn": keyed{
		key: keyOf("containerName"), item: fields{"containerName": value, "condition": value},
		stays: func(s *scope, item object) bool { return s.foreign[text(item, "containerName")] },
	},
	"restartPolicy": fields{
		"enabled": flag, "ignoredExitCodes": list, "restartAttemptPeriod": leaf{absent: json.Number("300")},
	},
	"dockerLabels":   texts{keep: true},
	"ulimits":        keyed{key: keyOf("name"), item: fields{"name": value, "softLimit": value, "hardLimit": value}},
	"systemControls": keyed{key: keyOf("namespace"), item: fields{"namespace": value, "value": value}},
	"linuxParameters": fields{
		"capabilities": fields{"add": list, "drop": list}, "initProcessEnabled": flag,
		"tmpfs": keyed{key: keyOf("containerPath"), item: fields{"containerPath": value, "size": value, "mountOptions": list}},
	},
	"mountPoints": keyed{
		key: keyOf("containerPath"), item: fields{"sourceVolume": value, "containerPath": value, "readOnly": flag},
		stays: func(s *scope, item object) bool { return s.foreignVolumes[text(item, "sourceVolume")] },
	},
	"logConfiguration": fields{"logDriver": value, "options": texts{}},
}

// taskRules are the owned fields of a task, apart from its containers and its roles.
var taskRules = fields{
	"cpu": leaf{normal: units}, "memory": leaf{normal: units},
	"runtimePlatform": fields{"cpuArchitecture": leaf{absent: "X86_64"}, "operatingSystemFamily": leaf{absent: "LINUX"}},
	"volumes": keyed{
		key: keyOf("name"),
		item: fields{"name": value, "efsVolumeConfiguration": fields{
			"fileSystemId": value, "transitEncryption": leaf{absent: "DISABLED"},
			"authorizationConfig": fields{"accessPointId": value, "iam": leaf{absent: "DISABLED"}},
		}},
		stays: func(s *scope, item object) bool { return s.foreignVolumes[text(item, "name")] },
	},
}

// portRules are the owned fields of a port mapping. The port of the host is not derived:
// it is left out, or the same.
var portRules = fields{
	"containerPort": value, "protocol": leaf{absent: "tcp"}, "name": value, "appProtocol": value, "hostPort": hostPort{},
}

// portKey returns a port as 8080/tcp.
func portKey(item object) string {
	return cmp.Or(text(item, "containerPort"), text(item, "containerPortRange")) + "/" + cmp.Or(text(item, "protocol"), "tcp")
}

// hostPort is the port of the host. In the network mode awsvpc, it can only be that of
// the container (PortMapping in the API reference), so that it says nothing.
type hostPort struct{}

func (hostPort) owned(s *scope, v any) any {
	if s.samePort {
		return nil
	}
	return number.owned(s, v)
}

func (h hostPort) merge(s *scope, path string, have, want any) any {
	if s.samePort {
		return have
	}
	return number.merge(s, path, have, want)
}

// variables are the variables of a container, in one of the two lists.
func variables(value string) keyed {
	return keyed{
		key: keyOf("name"), item: fields{"name": leaf{}, value: leaf{}}, value: value,
		stays: func(s *scope, item object) bool { return s.keeps(text(item, "name")) },
	}
}

func keyOf(name string) func(object) string {
	return func(item object) string { return text(item, name) }
}

// sorted returns a list in order.
func sorted(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return list
}

// units returns the size of a task in CPU units or MiB: "1 vCPU" is 1024, and "2 GB" is
// 2048 (RegisterTaskDefinition in the API reference).
func units(v any) any {
	given := strings.ToLower(strings.TrimSpace(fmt.Sprint(v)))
	number, factor := given, 1.0
	for _, unit := range []string{"vcpu", "gb"} {
		if n, ok := strings.CutSuffix(given, unit); ok {
			number, factor = strings.TrimSpace(n), 1024
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return v
	}
	return strconv.FormatFloat(n*factor, 'f', -1, 64)
}
