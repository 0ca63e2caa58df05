package task_test

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/internal/fault"
	"slipway/internal/golden"
	"slipway/internal/testkit"
	"slipway/rollout/task"
)

// treatment is the answer to a key.
type treatment int

const (
	// carried changes the definition, without a warning.
	carried treatment = iota
	// changed is a warning.
	changed
	// refused is an error that names the key.
	refused
	// quiet changes nothing, without a warning.
	quiet
	// unread is not a key of compose files: the loader refuses it.
	unread
	// parts has keys of its own, which have treatments.
	parts
)

// sample shows the treatment of a key of a service: with is a service that has the
// key, without the same service that does not.
type sample struct {
	treatment treatment
	with      string
	without   string
}

// keys are the keys of a service, with those of its parts behind a dot.
var keys = map[string]sample{
	"annotations":         {changed, "annotations: {a: b}", ""},
	"attach":              {quiet, "attach: false", ""},
	"blkio_config":        {changed, "blkio_config: {weight: 300}", ""},
	"build":               {quiet, "image: example.org/web\nbuild: .", "build: ."},
	"cap_add":             {carried, "cap_add: [SYS_PTRACE]", ""},
	"cap_drop":            {carried, "cap_drop: [ALL]", ""},
	"cgroup":              {refused, "cgroup: host", ""},
	"cgroup_parent":       {refused, "cgroup_parent: m", ""},
	"command":             {carried, "command: serve", ""},
	"configs":             {refused, "configs: [site]", ""},
	"container_name":      {carried, "container_name: shop", ""},
	"cpu_count":           {changed, "cpu_count: 2", ""},
	"cpu_percent":         {changed, "cpu_percent: 50", ""},
	"cpu_period":          {changed, "cpu_period: 100", ""},
	"cpu_quota":           {changed, "cpu_quota: 100", ""},
	"cpu_rt_period":       {changed, "cpu_rt_period: 100", ""},
	"cpu_rt_runtime":      {changed, "cpu_rt_runtime: 100", ""},
	"cpu_shares":          {changed, "cpu_shares: 100", ""},
	"cpus":                {carried, "cpus: 0.5", ""},
	"cpuset":              {changed, "cpuset: '0'", ""},
	"credential_spec":     {refused, "credential_spec: {file: a.json}", ""},
	"depends_on":          {treatment: parts},
	"deploy":              {treatment: parts},
	"develop":             {quiet, "develop: {watch: [{path: ., action: rebuild}]}", ""},
	"device_cgroup_rules": {refused, "device_cgroup_rules: ['c 1:3 mr']", ""},
	"devices":             {refused, "devices: [/dev/fuse]", ""},
	"dns":                 {refused, "dns: 10.0.0.2", ""},
	"dns_opt":             {refused, "dns_opt: [use-vc]", ""},
	"dns_search":          {refused, "dns_search: example.org", ""},
	"dockerfile":          {unread, "dockerfile: Dockerfile", ""},
	"domainname":          {changed, "domainname: example.org", ""},
	"entrypoint":          {carried, "entrypoint: /entry", ""},
	"env_file":            {treatment: parts},
	"environment":         {carried, "environment: {A: b}", ""},
	"expose":              {carried, "expose: [80]", ""},
	"extends":             {quiet, "extends: other", ""},
	"external_links":      {refused, "external_links: [db]", ""},
	"extra_hosts":         {refused, "extra_hosts: ['db=10.0.0.9']", ""},
	"gpus":                {refused, "gpus: all", ""},
	"group_add":           {refused, "group_add: [mail]", ""},
	"healthcheck":         {treatment: parts},
	"hostname":            {changed, "hostname: web", ""},
	"image":               {carried, "image: example.org/web:2", "image: example.org/web"},
	"init":                {carried, "init: true", ""},
	"ipc":                 {refused, "ipc: host", ""},
	"isolation":           {refused, "isolation: hyperv", ""},
	"label_file":          {carried, "label_file: web.labels", ""},
	"labels":              {carried, "labels: {a: b}", ""},
	"links":               {carried, "links: [other]", ""}, // which is also an order
	"log_driver":          {unread, "log_driver: none", ""},
	"log_opt":             {unread, "log_opt: {a: b}", ""},
	"logging":             {treatment: parts},
	"mac_address":         {changed, "mac_address: 02:42:ac:11:65:43", ""},
	"mem_limit":           {carried, "mem_limit: 512m", ""},
	"mem_reservation":     {carried, "mem_reservation: 256m", ""},
	"mem_swappiness":      {changed, "mem_swappiness: 10", ""},
	"memswap_limit":       {changed, "memswap_limit: 1g", ""},
	"models":              {refused, "models: [llm]", ""},
	"net":                 {unread, "net: host", ""},
	"network_mode":        {refused, "network_mode: host", ""},
	"networks":            {quiet, "networks: [back]", ""},
	"oom_kill_disable":    {changed, "oom_kill_disable: true", ""},
	"oom_score_adj":       {changed, "oom_score_adj: 100", ""},
	"pid":                 {refused, "pid: host", ""},
	"pids_limit":          {changed, "pids_limit: 100", ""},
	"platform":            {carried, "platform: linux/arm64", ""},
	"ports":               {treatment: parts},
	"post_start":          {refused, "post_start: [{command: a}]", ""},
	"pre_start":           {refused, "pre_start: [{command: a}]", ""},
	"pre_stop":            {refused, "pre_stop: [{command: a}]", ""},
	"privileged":          {refused, "privileged: true", ""},
	"profiles":            {quiet, "profiles: [active]", ""},
	"provider":            {refused, "provider: {type: model}", ""},
	"pull_policy":         {changed, "pull_policy: always", ""},
	"pull_refresh_after":  {changed, "pull_refresh_after: 1h", ""},
	"read_only":           {carried, "read_only: true", ""},
	"restart":             {carried, "restart: always", ""},
	"runtime":             {refused, "runtime: nvidia", ""},
	"scale":               {carried, "scale: 2", ""},
	"secrets":             {treatment: parts},
	"security_opt":        {refused, "security_opt: ['no-new-privileges']", ""},
	"shm_size":            {refused, "shm_size: 128m", ""},
	"stdin_open":          {carried, "stdin_open: true", ""},
	"stop_grace_period":   {carried, "stop_grace_period: 30s", ""},
	"stop_signal":         {changed, "stop_signal: SIGINT", ""},
	"storage_opt":         {changed, "storage_opt: {size: 1G}", ""},
	"sysctls":             {carried, "sysctls: {net.core.somaxconn: 1024}", ""},
	"tmpfs":               {carried, "tmpfs: '/run:size=64m'", ""},
	"tty":                 {carried, "tty: true", ""},
	"ulimits":             {treatment: parts},
	"umask":               {refused, "umask: '0022'", ""},
	"use_api_socket":      {refused, "use_api_socket: true", ""},
	"user":                {carried, "user: '1000'", ""},
	"userns_mode":         {refused, "userns_mode: host", ""},
	"uts":                 {refused, "uts: host", ""},
	"volume_driver":       {unread, "volume_driver: local", ""},
	"volumes":             {treatment: parts},
	"volumes_from":        {refused, "volumes_from: [other]", ""},
	"working_dir":         {carried, "working_dir: /srv", ""},

	"depends_on.condition": {carried, "depends_on: {other: {condition: service_completed_successfully}}", "depends_on: {other: {condition: service_started}}"},
	"depends_on.required":  {quiet, "depends_on: {other: {condition: service_started, required: false}}", "depends_on: [other]"},
	"depends_on.restart":   {quiet, "depends_on: {other: {condition: service_started, restart: true}}", "depends_on: [other]"},

	"deploy.endpoint_mode":   {changed, "deploy: {endpoint_mode: vip}", ""},
	"deploy.labels":          {changed, "deploy: {labels: {a: b}}", ""},
	"deploy.mode":            {refused, "deploy: {mode: global}", ""},
	"deploy.placement":       {changed, "deploy: {placement: {constraints: [node.role==manager]}}", ""},
	"deploy.replicas":        {carried, "deploy: {replicas: 2}", ""},
	"deploy.resources":       {treatment: parts},
	"deploy.restart_policy":  {treatment: parts},
	"deploy.rollback_config": {changed, "deploy: {rollback_config: {order: stop-first}}", ""},
	"deploy.update_config":   {treatment: parts},

	"deploy.resources.limits":                         {treatment: parts},
	"deploy.resources.reservations":                   {treatment: parts},
	"deploy.resources.limits.cpus":                    {carried, "deploy: {resources: {limits: {cpus: '0.5'}}}", ""},
	"deploy.resources.limits.memory":                  {carried, "deploy: {resources: {limits: {memory: 1g}}}", ""},
	"deploy.resources.limits.pids":                    {changed, "deploy: {resources: {limits: {pids: 10}}}", ""},
	"deploy.resources.limits.devices":                 {unread, "deploy: {resources: {limits: {devices: [{capabilities: [gpu]}]}}}", ""},
	"deploy.resources.limits.generic_resources":       {unread, "deploy: {resources: {limits: {generic_resources: [{discrete_resource_spec: {kind: ssd, value: 1}}]}}}", ""},
	"deploy.resources.reservations.cpus":              {carried, "deploy: {resources: {reservations: {cpus: '0.5'}}}", ""},
	"deploy.resources.reservations.memory":            {carried, "deploy: {resources: {reservations: {memory: 1g}}}", ""},
	"deploy.resources.reservations.pids":              {unread, "deploy: {resources: {reservations: {pids: 10}}}", ""},
	"deploy.resources.reservations.devices":           {refused, "deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}]}}}", ""},
	"deploy.resources.reservations.generic_resources": {refused, "deploy: {resources: {reservations: {generic_resources: [{discrete_resource_spec: {kind: ssd, value: 1}}]}}}", ""},

	"deploy.restart_policy.condition":    {carried, "deploy: {restart_policy: {condition: on-failure}}", "deploy: {restart_policy: {}}"},
	"deploy.restart_policy.delay":        {changed, "deploy: {restart_policy: {delay: 1s}}", "deploy: {restart_policy: {}}"},
	"deploy.restart_policy.max_attempts": {changed, "deploy: {restart_policy: {max_attempts: 3}}", "deploy: {restart_policy: {}}"},
	"deploy.restart_policy.window":       {carried, "deploy: {restart_policy: {window: 120s}}", "deploy: {restart_policy: {}}"},

	"deploy.update_config.delay":             {changed, "deploy: {update_config: {delay: 1s}}", ""},
	"deploy.update_config.failure_action":    {changed, "deploy: {update_config: {failure_action: pause}}", ""},
	"deploy.update_config.max_failure_ratio": {changed, "deploy: {update_config: {max_failure_ratio: 0.1}}", ""},
	"deploy.update_config.monitor":           {changed, "deploy: {update_config: {monitor: 1s}}", ""},
	"deploy.update_config.order":             {carried, "deploy: {update_config: {order: stop-first}}", ""},
	"deploy.update_config.parallelism":       {carried, "deploy: {replicas: 3, update_config: {order: stop-first, parallelism: 2}}", "deploy: {replicas: 3, update_config: {order: stop-first}}"},

	"env_file.format":   {carried, "env_file: [{path: web.env, format: raw}]", "env_file: [{path: web.env}]"},
	"env_file.path":     {carried, "env_file: web.env", ""},
	"env_file.required": {quiet, "env_file: [{path: web.env, required: false}]", "env_file: web.env"},

	"healthcheck.disable":        {carried, "healthcheck: {test: ping, disable: true}", "healthcheck: {test: ping}"},
	"healthcheck.interval":       {carried, "healthcheck: {test: ping, interval: 10s}", "healthcheck: {test: ping}"},
	"healthcheck.retries":        {carried, "healthcheck: {test: ping, retries: 5}", "healthcheck: {test: ping}"},
	"healthcheck.start_interval": {changed, "healthcheck: {test: ping, start_interval: 1s}", "healthcheck: {test: ping}"},
	"healthcheck.start_period":   {carried, "healthcheck: {test: ping, start_period: 10s}", "healthcheck: {test: ping}"},
	"healthcheck.test":           {carried, "healthcheck: {test: ping}", ""},
	"healthcheck.timeout":        {carried, "healthcheck: {test: ping, timeout: 5s}", "healthcheck: {test: ping}"},

	"logging.driver":  {changed, "logging: {driver: syslog}", ""},
	"logging.options": {carried, "logging: {driver: awslogs, options: {mode: blocking}}", "logging: {driver: awslogs}"},

	"ports.app_protocol": {carried, "ports: [{target: 80, app_protocol: http}]", "ports: [{target: 80}]"},
	"ports.host_ip":      {quiet, "ports: [{target: 80, host_ip: 127.0.0.1}]", "ports: [{target: 80}]"},
	"ports.mode":         {quiet, "ports: [{target: 80, mode: host}]", "ports: [{target: 80}]"},
	"ports.name":         {carried, "ports: [{target: 80, name: http}]", "ports: [{target: 80}]"},
	"ports.protocol":     {carried, "ports: [{target: 80, protocol: udp}]", "ports: [{target: 80}]"},
	"ports.published":    {quiet, "ports: [{target: 80, published: '8080'}]", "ports: [{target: 80}]"},
	"ports.target":       {carried, "ports: [{target: 80}]", ""},

	"secrets.gid":    {refused, "secrets: [{source: token, gid: '1'}]", ""},
	"secrets.mode":   {refused, "secrets: [{source: token, mode: 0400}]", ""},
	"secrets.source": {carried, "secrets: [token]", ""},
	"secrets.target": {carried, "secrets: [{source: token, target: TOKEN}]", "secrets: [token]"},
	"secrets.uid":    {refused, "secrets: [{source: token, uid: '1'}]", ""},

	"ulimits.hard":   {carried, "ulimits: {nofile: {soft: 1, hard: 3}}", "ulimits: {nofile: {soft: 1, hard: 2}}"},
	"ulimits.single": {carried, "ulimits: {nofile: 1024}", ""},
	"ulimits.soft":   {carried, "ulimits: {nofile: {soft: 2, hard: 3}}", "ulimits: {nofile: {soft: 1, hard: 3}}"},

	"volumes.bind":           {refused, "volumes: [{type: bind, source: ., target: /a, bind: {propagation: shared}}]", ""},
	"volumes.consistency":    {quiet, "volumes: [{type: volume, source: data, target: /a, consistency: cached}]", "volumes: ['data:/a']"},
	"volumes.image":          {refused, "volumes: [{type: image, source: example.org/a, target: /a, image: {subpath: a}}]", ""},
	"volumes.read_only":      {carried, "volumes: ['data:/a:ro']", "volumes: ['data:/a']"},
	"volumes.source":         {carried, "volumes: ['data:/a']", ""},
	"volumes.target":         {carried, "volumes: ['data:/b']", "volumes: ['data:/a']"},
	"volumes.tmpfs":          {treatment: parts},
	"volumes.type":           {refused, "volumes: [{type: npipe, source: a, target: /a}]", ""},
	"volumes.volume":         {treatment: parts},
	"volumes.tmpfs.mode":     {carried, "volumes: [{type: tmpfs, target: /a, tmpfs: {size: 64m, mode: 01777}}]", "volumes: [{type: tmpfs, target: /a, tmpfs: {size: 64m}}]"},
	"volumes.tmpfs.size":     {carried, "volumes: [{type: tmpfs, target: /a, tmpfs: {size: 64m}}]", ""},
	"volumes.volume.labels":  {quiet, "volumes: [{type: volume, source: data, target: /a, volume: {labels: {a: b}}}]", "volumes: ['data:/a']"},
	"volumes.volume.nocopy":  {quiet, "volumes: [{type: volume, source: data, target: /a, volume: {nocopy: true}}]", "volumes: ['data:/a']"},
	"volumes.volume.subpath": {refused, "volumes: [{type: volume, source: data, target: /a, volume: {subpath: a}}]", ""},
}

// TestEveryKeyHasATreatment compares the table with the fields of compose-go: a key
// that a new version adds is to be carried, changed, refused or ignored on purpose.
func TestEveryKeyHasATreatment(t *testing.T) {
	found := map[string]bool{}
	walkKeys("", reflect.TypeFor[types.ServiceConfig](), found)
	for _, key := range slices.Sorted(maps.Keys(found)) {
		if _, ok := keys[key]; !ok {
			t.Errorf("compose-go has the key %s, which the table lacks", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !found[key] {
			t.Errorf("the table has the key %s, which compose-go lacks", key)
		}
	}
	if len(found) < 150 {
		t.Errorf("%d keys were found, want all of compose-go", len(found))
	}
}

// walkKeys collects the keys of a type, and those of the parts in the table.
func walkKeys(prefix string, in reflect.Type, found map[string]bool) {
	for _, field := range reflect.VisibleFields(in) {
		key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if key == "" || key == "-" || key == "#extensions" || prefix == "" && key == "name" {
			continue
		}
		found[prefix+key] = true
		if keys[prefix+key].treatment != parts {
			continue
		}
		inner := field.Type
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice || inner.Kind() == reflect.Map {
			inner = inner.Elem()
		}
		walkKeys(prefix+key+".", inner, found)
	}
}

func TestKeys(t *testing.T) {
	var refusals, warnings strings.Builder
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		s := keys[key]
		if s.treatment == parts {
			continue
		}
		with, without := result(t, s.with), result(t, s.without)
		if without.err != nil {
			t.Errorf("%s: %q: got error %v", key, s.without, without.err)
		}
		if got := with.treatment(key, without); got != s.treatment {
			t.Errorf("%s: %q: treatment %d, want %d (error %v, warnings %q)\n%s", key, s.with, got, s.treatment, with.err, with.warnings, with.text)
		}
		switch s.treatment {
		case refused:
			fmt.Fprintf(&refusals, "%s\n    %s\n", strings.ReplaceAll(with.err.Error(), with.dir, "/project"), fault.HintOf(with.err))
		case changed:
			fmt.Fprintf(&warnings, "%s\n", with.warnings[len(with.warnings)-1])
		}
	}
	golden.Check(t, "refusals.golden", []byte(refusals.String()))
	golden.Check(t, "changes.golden", []byte(warnings.String()))
}

// derived is the result of one project.
type derived struct {
	text     string
	warnings []string
	err      error
	dir      string
}

var imageGiven = regexp.MustCompile(`(?m)^(image|build|provider):`)

// writeService writes the project of a service with some keys, and returns its
// directory.
func writeService(t *testing.T, service string) string {
	t.Helper()
	if !imageGiven.MatchString(service) {
		service = "image: example.org/web\n" + service
	}
	return testkit.WriteTree(t, map[string]string{
		"compose.yaml": "name: shop\nservices:\n  other: {image: example.org/web}\n  web:\n    " + strings.ReplaceAll(service, "\n", "\n    ") + `
networks: {back: {}}
configs: {site: {file: site.conf}}
models: {llm: {model: ai/llm}}
secrets: {token: {file: token.txt}}
volumes: {data: {x-slipway: {efs: fs-0123/fsap-9}}}
`,
		"Dockerfile": "FROM scratch\n",
		"web.env":    "A='b'\n", "web.labels": "a=b\n", "token.txt": "token", "site.conf": "a",
	})
}

// result derives the project of a service with some keys.
func result(t *testing.T, service string) derived {
	t.Helper()
	dir := writeService(t, service)
	definitions, warnings, err := derive(t, dir)
	for _, d := range definitions {
		obey(t, d)
	}
	text, jsonErr := task.JSON(definitions)
	if jsonErr != nil {
		t.Fatal(jsonErr)
	}
	return derived{string(text), warnings, err, dir}
}

// treatment returns how a key was treated, compared with the project that lacks it.
func (d derived) treatment(key string, without derived) treatment {
	top, _, _ := strings.Cut(key, ".")
	switch {
	case d.err != nil && strings.HasPrefix(d.err.Error(), "services.web."+top):
		return refused
	case d.err != nil:
		return unread
	case len(d.warnings) == len(without.warnings)+1:
		return changed
	case d.text != without.text && len(d.warnings) == len(without.warnings):
		return carried
	case d.text == without.text && len(d.warnings) == len(without.warnings):
		return quiet
	}
	return -1
}
