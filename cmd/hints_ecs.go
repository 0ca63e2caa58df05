package cmd

// ecsHint returns the hints for errors of rollout/ecs.
func ecsHint(err error) string {
	switch err.(type) {
	default:
		return ""
	}
}
