package target

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"slipway/internal/allow"
)

// ask notes what the target wants beyond the project's own files and the engine's
// sandbox.
func (t *translator) ask(out *Target) error {
	if err := t.askVariables(out); err != nil {
		return err
	}
	t.askContext("context", out.Context)
	for _, name := range slices.Sorted(maps.Keys(out.Contexts)) {
		t.askContext("additional_contexts."+name, out.Contexts[name])
	}
	if dir, file := out.dockerfileDir(); dir != "" {
		for _, name := range dockerfileNames(file) {
			t.askFile("dockerfile", filepath.Join(dir, name))
		}
	}
	for _, k := range out.SSH {
		t.wanted.Add(allow.Want{Kind: allow.SSH, Where: t.field("ssh." + k.ID)})
	}
	for _, k := range t.build().SSH {
		if k.Path != "" {
			t.askFile("ssh."+k.ID, t.abs(k.Path))
		}
	}
	return t.askCaches(out)
}

// askVariables notes the variables with credentials whose values would reach the engine.
func (t *translator) askVariables(out *Target) error {
	for name, value := range out.Args {
		t.wanted.Scan(value, t.field("args."+name))
	}
	for _, s := range out.Secrets {
		t.wanted.Scan(s.Value, t.field("secrets."+s.ID))
	}
	all, err := json.Marshal(out)
	if err != nil {
		return err
	}
	t.wanted.Scan(string(all), "services."+t.service.Name)
	return nil
}

func (t *translator) askContext(key string, c Context) {
	switch {
	case c.OCILayout != "" && t.wanted.Read(c.OCILayout, t.field(key)):
		t.askLayout(key, c.OCILayout)
	case c.Dir != "" && t.wanted.Read(c.Dir, t.field(key)):
		t.askFile(key, filepath.Join(c.Dir, dockerignore))
	}
}

// askLayout notes the links in an OCI layout: the engine is served what they lead to. What
// lies behind one that may not be read is not looked at.
func (t *translator) askLayout(key, dir string) {
	for _, name := range []string{"index.json", "ingest", "blobs", "blobs/*", "blobs/*/*"} {
		paths, _ := filepath.Glob(filepath.Join(escape(dir), name)) // the pattern is right
		inside := true
		for _, path := range paths {
			info, err := os.Lstat(path)
			link := err == nil && info.Mode()&fs.ModeSymlink != 0
			inside = (!link || t.mayRead(path, key)) && inside
		}
		if !inside {
			return
		}
	}
}

// escape makes a pattern of a path.
func escape(path string) string { return globs.Replace(path) }

var globs = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`)

// mayRead reports whether a path may be read. One that does not exist may.
func (t *translator) mayRead(path, key string) bool {
	if _, err := os.Lstat(path); err != nil {
		return true
	}
	return t.wanted.Read(path, t.field(key))
}

// askFile notes a file that is read on this host, through links too.
func (t *translator) askFile(key, path string) {
	t.mayRead(path, key)
}

// askCaches notes the local directories and the places on S3 of the compose file's own
// caches. Those in registries are for the caller, who knows the project's repositories.
func (t *translator) askCaches(out *Target) error {
	for _, c := range out.CacheFrom {
		if err := t.askCache("cache_from", c, "src", t.wanted.Read); err != nil {
			return err
		}
	}
	for _, c := range out.CacheTo {
		if err := t.askCache("cache_to", c, "dest", t.wanted.Write); err != nil {
			return err
		}
	}
	return nil
}

func (t *translator) askCache(key string, c Cache, attr string, ask func(path, where string) bool) error {
	switch c.Type {
	case cacheLocal:
		// BuildKit's client takes a relative path from the working directory.
		path, err := filepath.Abs(c.Attrs[attr])
		if err != nil {
			return t.refuse(key, "write an absolute path", "%v", err)
		}
		ask(path, t.field(key))
	case cacheS3:
		t.wanted.Add(allow.Want{Kind: allow.S3, Value: c.place(), Where: t.field(key)})
	}
	return nil
}

// place is the s3:// URL of a cache on S3, or below the address of another endpoint.
func (c Cache) place() string {
	place := "s3://"
	if endpoint := c.Attrs["endpoint_url"]; endpoint != "" {
		place = endpoint + "/"
	}
	place += c.Attrs["bucket"]
	if prefix := c.Attrs["prefix"]; prefix != "" {
		place += "/" + prefix
	}
	return place
}

const cacheLocal = "local"
