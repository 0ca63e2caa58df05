package cmd

// buildHint returns the hints for errors of the stages below build.
func buildHint(err error) string {
	switch err.(type) {
	default:
		return ""
	}
}
