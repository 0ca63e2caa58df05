package stack

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"

	"slipway/rollout/task"
)

// localURL finds the URLs that a health check asks for in its own container.
var localURL = regexp.MustCompile(`\bhttp://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::(\d+))?(/[^\s"'\x60|;&)?#]*)?`)

// HealthPath returns the path on the port for requests that the container's own health
// check asks for; empty if it asks for none.
func HealthPath(in task.Input, entry task.Entry) string {
	for _, c := range in.Containers {
		if c.Name != entry.Container || c.HealthCheck == nil {
			continue
		}
		for _, match := range localURL.FindAllStringSubmatch(strings.Join(c.HealthCheck.Command, " "), -1) {
			if cmp.Or(match[1], "80") == strconv.Itoa(entry.Port) {
				return cmp.Or(match[2], "/")
			}
		}
	}
	return ""
}
