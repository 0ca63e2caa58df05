// Slipway builds the services of a compose file, pushes them to Amazon ECR and tags
// them, all or nothing.
package main

import (
	"os"

	"slipway/cmd"
)

func main() {
	os.Exit(cmd.Main())
}
