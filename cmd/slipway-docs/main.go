// Slipway-docs writes the pages of docs/cli from the commands themselves.
package main

import (
	"fmt"
	"os"

	"slipway/cmd"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: slipway-docs DIR")
		os.Exit(2)
	}
	if err := cmd.WriteDocs(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
