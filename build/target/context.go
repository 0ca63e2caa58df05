package target

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/buildkit/client/ociindex"

	"slipway/internal/bounded"
	"slipway/internal/redact"
)

// Context is where files of a build come from. Exactly one field is set, but for
// OCILayout, which goes with a Digest.
type Context struct {
	// Dir is a directory of this host, absolute.
	Dir string `json:"dir,omitempty"`
	// Remote is a git or HTTP URL that the engine fetches itself.
	Remote string `json:"remote,omitempty"`
	// Image is an image reference.
	Image string `json:"image,omitempty"`
	// OCILayout is a directory of this host in the OCI image layout.
	OCILayout string `json:"ociLayout,omitempty"`
	// Digest is the manifest in the OCI layout.
	Digest string `json:"digest,omitempty"`
	// Service is another service of the project, whose image is the context.
	Service string `json:"service,omitempty"`
}

// String is the context as the compose file would write it.
func (c Context) String() string {
	switch {
	case c.Dir != "":
		return c.Dir
	case c.Remote != "":
		return c.Remote
	case c.Image != "":
		return "docker-image://" + c.Image
	case c.OCILayout != "":
		return "oci-layout://" + c.OCILayout + "@" + c.Digest
	case c.Service != "":
		return types.ServicePrefix + c.Service
	default:
		return ""
	}
}

// Redacted is the context as it may be shown: without the password, token or signature of
// a URL.
func (c Context) Redacted() Context {
	c.Remote = redact.Patterns(c.Remote)
	return c
}

// remotePrefixes begin the contexts that BuildKit's Dockerfile frontend fetches by
// git or HTTP (frontend/dockerui, DetectGitContext and DetectHTTPContext).
var remotePrefixes = []string{"https://", "http://", "git://", "ssh://", "github.com/", "git@"}

func isRemote(s string) bool {
	for _, p := range remotePrefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

func (t *translator) mainContext() (Context, error) {
	s := t.build().Context
	if isRemote(s) {
		return Context{Remote: s}, nil
	}
	if strings.Contains(s, "://") {
		return Context{}, t.refuse("context", "use a directory or a git or http(s) URL", "%q is not a supported main context", s)
	}
	return t.localContext("context", s)
}

// additionalContext resolves one entry of additional_contexts.
func (t *translator) additionalContext(name, s string) (Context, error) {
	key := "additional_contexts." + name
	scheme, rest, found := strings.Cut(s, "://")
	switch {
	case strings.HasPrefix(s, types.ServicePrefix):
		return Context{Service: strings.TrimPrefix(s, types.ServicePrefix)}, nil
	case isRemote(s):
		return Context{Remote: s}, nil
	case found && scheme == "docker-image":
		return Context{Image: rest}, nil
	case found && scheme == "oci-layout":
		return t.ociLayout(key, rest)
	case found:
		return Context{}, t.refuse(key, "known kinds: a directory, a git or http(s) URL, docker-image://, oci-layout://, service:NAME", "%q has an unknown kind", s)
	default:
		return t.localContext(key, s)
	}
}

func (t *translator) localContext(key, dir string) (Context, error) {
	if dir == "" {
		return Context{}, t.refuse(key, "name a directory, . for the project's own", "is empty")
	}
	dir = t.abs(dir)
	info, err := os.Stat(dir)
	if errors.Is(err, os.ErrNotExist) {
		return Context{}, t.refuse(key, "create the directory or correct the path", "no such directory %s", dir)
	}
	if err != nil {
		return Context{}, t.refuse(key, "make the directory readable", "%v", err)
	}
	if !info.IsDir() {
		return Context{}, t.refuse(key, "a context is a directory; name the file with dockerfile", "%s is not a directory", dir)
	}
	return Context{Dir: dir}, nil
}

// ociLayout resolves PATH[:TAG][@DIGEST]. Without a digest, the index in the layout is
// asked for the tag; without a tag either, for latest or for the only image there is.
func (t *translator) ociLayout(key, s string) (Context, error) {
	path, dgst, _ := strings.Cut(s, "@")
	tag := ""
	if i := strings.LastIndexByte(path, ':'); i > strings.LastIndexByte(path, '/') {
		path, tag = path[:i], path[i+1:]
	}
	path = t.abs(path)
	if _, err := os.Stat(filepath.Join(path, "index.json")); err != nil {
		return Context{}, t.refuse(key, "name a directory in the OCI image layout", "%v", err)
	}
	if err := bounded.CheckFile(filepath.Join(path, "index.json"), MaxLayoutIndex); err != nil {
		return Context{}, t.refuse(key, "name a directory in the OCI image layout", "%v", err)
	}
	if dgst == "" {
		if dgst = layoutDigest(path, tag); dgst == "" {
			return Context{}, t.refuse(key, "add @sha256:… or a tag that is in the layout", "%s has no image %q", path, cmp.Or(tag, "latest"))
		}
	}
	return Context{OCILayout: path, Digest: dgst}, nil
}

// layoutDigest is empty when the layout has no such image, or no readable index.
func layoutDigest(path, tag string) string {
	index := ociindex.NewStoreIndex(path)
	desc, err := index.Get(cmp.Or(tag, "latest"))
	if err == nil && desc == nil && tag == "" {
		desc, err = index.GetSingle()
	}
	if err != nil || desc == nil {
		return ""
	}
	return desc.Digest.String()
}

func (t *translator) abs(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(t.project.WorkingDir, path)
}

// dockerfile finds the Dockerfile and checks that it is there, as far as this host can see.
func (t *translator) dockerfile(main Context) (path, inline string, err error) {
	b := t.build()
	if b.DockerfileInline != "" {
		if b.Dockerfile != "" && b.Dockerfile != defaultDockerfile {
			return "", "", t.refuse("dockerfile_inline", "keep one of the two", "is set together with dockerfile: %s", b.Dockerfile)
		}
		return "", b.DockerfileInline, nil
	}
	name := b.Dockerfile
	if name == "" {
		name = defaultDockerfile
	}
	if main.Dir == "" {
		return name, "", nil
	}
	path = name
	if !filepath.IsAbs(path) {
		path = filepath.Join(main.Dir, path)
	}
	return path, "", t.checkDockerfile(path)
}

const defaultDockerfile = "Dockerfile"

func (t *translator) checkDockerfile(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) && filepath.Base(path) == defaultDockerfile {
		// The frontend takes the lower-case name as well.
		lower := filepath.Join(filepath.Dir(path), strings.ToLower(defaultDockerfile))
		if other, lowerErr := os.Stat(lower); !errors.Is(lowerErr, os.ErrNotExist) {
			path, info, err = lower, other, lowerErr
		}
	}
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory", path)
	}
	if err == nil {
		err = bounded.CheckFile(path, MaxDockerfile)
	}
	if err != nil {
		return t.refuse("dockerfile", "create it, or name another with dockerfile or dockerfile_inline", "no Dockerfile: %v", err)
	}
	return nil
}
