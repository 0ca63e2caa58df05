package task

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"slipway/project/compose"
)

// note is why a key has no counterpart, and what to do instead.
type note struct{ problem, remedy string }

// localRemedy is the remedy for keys that only docker compose can carry out.
func localRemedy(key string) string {
	return "remove it, or write x-slipway: {local: [" + key + "]} if only docker compose needs it"
}

// refused are the keys without which a container would do something else or have other
// rights. An empty remedy is localRemedy. ("Task definition differences for Fargate" in
// the ECS developer guide.)
var refused = map[string]note{
	"cgroup":              {"Fargate shares no control groups", ""},
	"cgroup_parent":       {"Fargate shares no control groups", ""},
	"configs":             {"ECS mounts no configs", "copy the file into the image, or pass its text as a variable"},
	"credential_spec":     {"Fargate has no credentials of Windows", ""},
	"device_cgroup_rules": {"Fargate has no devices", ""},
	"devices":             {"Fargate has no devices", ""},
	"dns":                 {"a task on Fargate has the name servers of its VPC", "set them in the DHCP options of the VPC, or write x-slipway: {local: [dns]}"},
	"dns_opt":             {"a task on Fargate has the name servers of its VPC", ""},
	"dns_search":          {"a task on Fargate has the name servers of its VPC", "set the domain in the DHCP options of the VPC, or write x-slipway: {local: [dns_search]}"},
	"external_links":      {"ECS has no links", "pass the address as a variable, or write x-slipway: {local: [external_links]}"},
	"extra_hosts":         {"a task on Fargate cannot add hosts", "use a record in a private hosted zone of Route 53, or write x-slipway: {local: [extra_hosts]}"},
	"gpus":                {"Fargate has no GPUs", ""},
	"group_add":           {"ECS adds no groups", "add the user to the group in the Dockerfile"},
	"ipc":                 {"Fargate shares no IPC namespace", ""},
	"isolation":           {"it is for Windows engines", ""},
	"models":              {"ECS runs no models", ""},
	"pid":                 {"Fargate shares no process namespace with a host", ""},
	"post_start":          {"ECS has no hooks", "call it in the entrypoint of the image"},
	"pre_start":           {"ECS has no hooks", "run it as a service that this one depends on, or in x-slipway.task.before"},
	"pre_stop":            {"ECS has no hooks", "handle the stop signal in the container"},
	"privileged":          {"Fargate has no privileged containers", ""},
	"provider":            {"ECS runs containers only", "write x-slipway: {local: true}"},
	"runtime":             {"Fargate has one runtime", ""},
	"security_opt":        {"Fargate has no security options", ""},
	"shm_size":            {"Fargate has no size of /dev/shm", ""},
	"umask":               {"ECS sets no umask", "set it in the entrypoint of the image"},
	"use_api_socket":      {"Fargate has no Docker engine", ""},
	"userns_mode":         {"Fargate has no user namespaces of a host", ""},
	"uts":                 {"Fargate shares no host name", ""},
	"volumes_from":        {"ECS mounts volumes by their names", "mount the same volumes by name in both services"},
}

const sizeRemedy = "size the container with deploy.resources.limits"

// changed are the keys that are left out with a warning.
var changed = map[string]note{
	"annotations":        {"ECS has no annotations", "use labels"},
	"blkio_config":       {"Fargate has no limits of block devices", "remove it"},
	"cpu_count":          {"it is for Windows engines", sizeRemedy},
	"cpu_percent":        {"it is for Windows engines", sizeRemedy},
	"cpu_period":         {"Fargate has no CPU quotas", sizeRemedy},
	"cpu_quota":          {"Fargate has no CPU quotas", sizeRemedy},
	"cpu_rt_period":      {"Fargate has no real-time scheduler", sizeRemedy},
	"cpu_rt_runtime":     {"Fargate has no real-time scheduler", sizeRemedy},
	"cpu_shares":         {"the shares follow from the limit", sizeRemedy},
	"cpuset":             {"Fargate chooses the CPUs", sizeRemedy},
	"domainname":         {"a task has the host name of its network interface", "remove it"},
	"hostname":           {"a task has the host name of its network interface", "remove it"},
	"mac_address":        {"a task has the address of its network interface", "remove it"},
	"mem_swappiness":     {"Fargate has no swap", "remove it"},
	"memswap_limit":      {"Fargate has no swap", "remove it"},
	"oom_kill_disable":   {"Fargate ends a container that exceeds its memory", "remove it"},
	"oom_score_adj":      {"Fargate ends a container that exceeds its memory", "remove it"},
	"pids_limit":         {"Fargate has no limit of processes", "use ulimits: {nproc: N}"},
	"pull_policy":        {"ECS pulls the image for each task", "remove it"},
	"pull_refresh_after": {"ECS pulls the image for each task", "remove it"},
	"stop_signal":        {"the signal is that of the image", "put STOPSIGNAL into the Dockerfile"},
	"storage_opt":        {"a task has storage of its own", "remove it"},
}

// given returns the names of those keys that the service has, sorted.
func (u *unit) given(keys map[string]note) (out []string) {
	service := reflect.ValueOf(u.ServiceConfig)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		v := service.FieldByIndex(compose.ServiceFields()[key])
		if empty := (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0; !empty && !v.IsZero() {
			out = append(out, key)
		}
	}
	return out
}

// keys refuses the keys that cannot be carried, and warns of those that are left out.
func (t *translator) keys() error {
	if given := t.given(refused); len(given) > 0 {
		n := refused[given[0]]
		if n.remedy == "" {
			n.remedy = localRemedy(given[0])
		}
		return t.refuse(given[0], n.remedy, "cannot be carried out: %s", n.problem)
	}
	if err := t.network(); err != nil {
		return err
	}
	for _, key := range t.given(changed) {
		t.warn(key, "has no effect on ECS, since %s: %s", changed[key].problem, changed[key].remedy)
	}
	for _, link := range t.Links {
		if service, alias, ok := strings.Cut(link, ":"); ok && alias != service {
			t.warn("links", "has no effect on ECS: the containers of a task reach each other at localhost, not at %s; pass the host as a variable", alias)
		}
	}
	return nil
}

// network refuses the networks that a task does not have. All containers of a task
// share one, so that service:NAME is carried within a task.
func (t *translator) network() error {
	mode := t.NetworkMode
	name, isService := strings.CutPrefix(mode, "service:")
	inTask := func(u *unit) bool { return u.Name == name }
	if mode == "" || mode == "bridge" || mode == "default" || isService && slices.ContainsFunc(t.group.services, inTask) {
		return nil
	}
	return t.refuse("network_mode", localRemedy("network_mode"), "%q cannot be carried out: each task on Fargate has a network of its own", mode)
}
