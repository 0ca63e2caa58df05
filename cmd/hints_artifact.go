package cmd

// artifactHint returns the hints for errors of artifact and buildspec.
func artifactHint(err error) string {
	switch err.(type) {
	default:
		return ""
	}
}
