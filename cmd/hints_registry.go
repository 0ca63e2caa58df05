package cmd

// registryHint returns the hints for errors of registry.
func registryHint(err error) string {
	switch err.(type) {
	default:
		return ""
	}
}
