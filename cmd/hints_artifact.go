package cmd

import "slipway/buildspec/iam"

// artifactHint returns the hints for errors of artifact and buildspec.
func artifactHint(err error) string {
	switch e := err.(type) {
	case *iam.UseError:
		return useHint(e.Reason)
	default:
		return ""
	}
}

func useHint(r iam.UseReason) string {
	switch r {
	case iam.UntrustedWrites:
		return "leave --rollout, --create-repositories and --artifact out"
	case iam.NoService:
		return "give --cluster CLUSTER --ecs-service SERVICE, or write x-slipway: {ecs: {cluster: CLUSTER, service: SERVICE}} into the compose file"
	default:
		return ""
	}
}
