package cmd

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// baseImage matches the image of a FROM line. The instructions of needsBase run programs
// of it, or copy what these made.
var (
	baseImage = regexp.MustCompile(`(?m)^FROM \S+`)
	needsBase = regexp.MustCompile(`(?m)^(RUN|COPY --from=).*\n`)
)

// copyExample is example NAME DIR: it copies a project of examples/. Its Dockerfiles then
// need no base image and run no program.
func copyExample(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: example NAME DIR")
	}
	dir := ts.MkAbs(args[1])
	ts.Check(os.CopyFS(dir, os.DirFS(filepath.Join("../examples", args[0]))))
	ts.Check(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "Dockerfile" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		changed := baseImage.ReplaceAllString(needsBase.ReplaceAllString(string(text), ""), "FROM scratch")
		if strings.Count(changed, "FROM scratch") == 0 {
			ts.Fatalf("%s has no FROM line", path)
		}
		return os.WriteFile(path, []byte(changed), 0o644)
	}))
}
