// Command dist packs the programs of a release, as `make dist` built them.
//
// Usage:
//
//	dist -o DIRECTORY PLATFORM-DIRECTORY...
//
// Each platform's directory has the programs of one platform. Of each, dist
// writes NAME.tar.gz with the programs at its top, and NAME.cdx.json, a list of
// the Go modules in them. SHA256SUMS has the checksums of all these files. The
// same programs always give the same bytes. DIRECTORY must not exist.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"
)

func main() {
	out := flag.String("o", "dist", "the `directory` to write")
	flag.Parse()
	if err := run(*out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

// run writes the releases in dirs to out, completely or not at all.
func run(out string, dirs []string) (err error) {
	releases, err := readReleases(dirs)
	if err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(filepath.Dir(out), ".dist-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }() // gone if it was renamed
	var g errgroup.Group
	for _, r := range releases {
		g.Go(func() error { return r.write(temporary) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := writeSums(temporary); err != nil {
		return err
	}
	if err := os.Chmod(temporary, 0o755); err != nil {
		return err
	}
	return os.Rename(temporary, out)
}
