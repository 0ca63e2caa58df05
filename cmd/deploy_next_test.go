package cmd

import (
	"testing"

	"slipway/rollout/diagnose"
)

func TestNextCommand(t *testing.T) {
	for want, d := range map[string]diagnose.Diagnosis{
		"slipway status --cluster shop --ecs-service web":    {Cluster: "shop", Service: "web"},
		"slipway status --ecs-service web":                   {Service: "web"},
		"slipway revisions --cluster shop --ecs-service web": {Cluster: "shop", Service: "web", MissingImage: true},
		"aws ecs describe-clusters":                          {Cluster: "shop", Service: "web", Next: "aws ecs describe-clusters"},
	} {
		if got := nextCommand(d); got != want {
			t.Errorf("nextCommand(%+v) = %q, want %q", d, got, want)
		}
	}
}
