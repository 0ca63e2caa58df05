package deployconfig

import (
	"encoding/json"
	"strings"
)

// Refuse returns an error for changes that a deployment controller does not
// accept: with CODE_DEPLOY "only the desired count, deployment configuration,
// task placement constraints and strategies, enable ECS managed tags option,
// propagate tags, and health check grace period can be updated using this API",
// with EXTERNAL only "the desired count, task placement constraints and
// strategies, health check grace period, enable ECS managed tags option, and
// propagate tags option" (reference of UpdateService).
func Refuse(controller string, definition, force bool, changes map[string]json.RawMessage) error {
	if controller == "ECS" {
		return nil
	}
	var refused []string
	if definition {
		refused = append(refused, "task definition")
	}
	if force {
		refused = append(refused, "force new deployment")
	}
	for _, name := range []string{"networkConfiguration", "platformVersion", "loadBalancers", "serviceRegistries", "capacityProviderStrategy"} {
		if changes[name] != nil {
			refused = append(refused, spaced(name))
		}
	}
	if controller == "EXTERNAL" && changes["deploymentConfiguration"] != nil {
		refused = append(refused, spaced("deploymentConfiguration"))
	}
	switch {
	case refused == nil:
		return nil
	case controller == "CODE_DEPLOY":
		return invalid("Unable to update %s on services with a CODE_DEPLOY deployment controller. "+
			"Use AWS CodeDeploy to trigger a new deployment.", strings.Join(refused, ", "))
	default:
		return invalid("Unable to update %s on services with an EXTERNAL deployment controller.", strings.Join(refused, ", "))
	}
}

// spaced returns a field's name in words: networkConfiguration becomes network
// configuration.
func spaced(name string) string {
	var out strings.Builder
	for _, r := range name {
		if r >= 'A' && r <= 'Z' {
			out.WriteByte(' ')
			r += 'a' - 'A'
		}
		out.WriteRune(r)
	}
	return out.String()
}
