// Slipway builds the services of a compose file, pushes them to Amazon ECR and tags
// them, all or nothing.
package main

import (
	"os"

	"slipway/cmd"
	_ "slipway/internal/heap"
)

func main() { os.Exit(cmd.Main()) }
