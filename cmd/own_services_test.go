package cmd

import (
	"testing"

	"slipway/internal/allow"
	"slipway/registry"
	"slipway/rollout"
)

// A repository is allowed for an ECS service by its name, its address or its ARN.
func TestAllowsRepository(t *testing.T) {
	ref := registry.Ref{Account: "111122223333", Region: "eu-west-1", Name: "team-b/payments"}
	for value, want := range map[string]bool{
		"repository=team-b/payments": true,
		"repository=team-b/*":        true,
		"repository=111122223333.dkr.ecr.eu-west-1.amazonaws.com/team-b/payments":           true,
		"repository=arn:aws:ecr:eu-west-1:111122223333:repository/team-b/payments":          true,
		"repository=999999999999.dkr.ecr.eu-west-1.amazonaws.com/team-b/payments":           false,
		"repository=111122223333.dkr.ecr.eu-west-1.amazonaws.com/team-b/payments/elsewhere": false,
		"repository=payments": false,
		"engine":              false,
	} {
		granted, err := allow.Parse("/", []string{value})
		if err != nil {
			t.Fatal(err)
		}
		if got := rollout.AllowsRepository(granted, ref); got != want {
			t.Errorf("--allow %s allows %s: %v, want %v", value, ref.Name, got, want)
		}
	}
}
