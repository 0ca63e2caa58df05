package task_test

import (
	"fmt"
	"strings"
	"testing"

	"slipway/internal/fault"
	"slipway/internal/golden"
)

// values are services whose keys are carried in other cases: these values are refused
// or changed.
var values = []string{
	"cap_add: [SYS_PTRACE, NET_ADMIN]",
	"cap_drop: [EVERYTHING]",
	"container_name: web.1",
	"cpus: -1",
	"deploy: {mode: replicated-job}",
	"deploy: {replicas: 5001}",
	"deploy: {resources: {limits: {cpus: '33'}}}",
	"deploy: {resources: {limits: {memory: 1g}, reservations: {memory: 2g}}}",
	"deploy: {resources: {limits: {cpus: '1'}, reservations: {cpus: '0.5'}}}",
	"deploy: {restart_policy: {condition: sometimes}}",
	"deploy: {update_config: {parallelism: 2}}",
	"entrypoint: []",
	"environment: {TOKEN_FILE: /run/secrets/token}\nsecrets: [token]",
	"environment: {token: a}\nsecrets: [token]",
	"expose: [0]",
	"expose: [9000-8000]",
	"expose: [1-101]",
	"expose: [80/sctp]",
	"healthcheck: {interval: 10s}",
	"healthcheck: {test: [curl, localhost]}",
	"image: 'example.org/web:'",
	"links: ['other:db']",
	"mem_limit: 5m",
	"mem_limit: -1",
	"network_mode: none",
	"network_mode: service:other",
	"platform: windows/amd64",
	"platform: linux/arm/v7",
	"ports: [{target: 80, name: HTTP}]",
	"ports: [{target: 80, app_protocol: https}]",
	"restart: on-failure:3",
	"secrets: [{source: token, target: /etc/token}]",
	"secrets: [token, {source: other, target: token}]",
	"secrets: [bad]",
	"stop_grace_period: 0s",
	"sysctls: {kernel.panic: 1}",
	"tmpfs: run",
	"tmpfs: ['/run:size=0']",
	"tmpfs: ['/run:size=1m,nosymfollow']",
	"tmpfs: ['/run:size=1m', '/run:size=2m']",
	"ulimits: {swap: 1}",
	"ulimits: {nofile: {soft: 2, hard: 1}}",
	"volumes: ['/var/run/docker.sock:/var/run/docker.sock']",
	"volumes: ['./a:/a']",
	"volumes: ['local:/a']",
	"volumes: [/a]",
	"x-aws-role: {}",
	"x-slipway: {outputs: {A: B}, local: [x]}",
}

func TestValues(t *testing.T) {
	var out strings.Builder
	for _, service := range values {
		fmt.Fprintf(&out, "%s\n", service)
		got := result(t, service)
		for _, w := range got.warnings {
			fmt.Fprintf(&out, "    warning: %s\n", w)
		}
		if got.err != nil {
			fmt.Fprintf(&out, "    error: %s\n    remedy: %s\n", strings.ReplaceAll(got.err.Error(), got.dir, "/project"), fault.HintOf(got.err))
		}
		if got.err != nil && fault.KindOf(got.err) != fault.Input {
			t.Errorf("%s: got error %v, want an InputError", service, got.err)
		}
	}
	golden.Check(t, "values.golden", []byte(out.String()))
}

func TestDefinitionThatIsTooLarge(t *testing.T) {
	got := result(t, "environment: {A: '"+strings.Repeat("a", 64<<10)+"'}")
	want := "its task definition has "
	if got.err == nil || !strings.Contains(got.err.Error(), want) || fault.KindOf(got.err) != fault.Input {
		t.Errorf("got error %v, want one that says %q", got.err, want)
	}
}
