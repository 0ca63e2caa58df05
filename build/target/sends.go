package target

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/build/localfs"
	"slipway/internal/allow"
)

// Sends returns the field of the first build context that has a file and whose
// ignore file does not exclude it: the context that a builder receives the file
// with. It is empty if there is none. Links are followed first: of a link in a
// context, only the name is sent.
func Sends(p *types.Project, file string) (field string, err error) {
	for _, name := range slices.Sorted(maps.Keys(p.Services)) {
		if p.Services[name].Build == nil {
			continue
		}
		for _, c := range localContexts(p, name) {
			sent, err := c.sends(file)
			if err != nil || sent {
				return "services." + name + ".build." + c.key, err
			}
		}
	}
	return "", nil
}

// sentContext is a local directory that a builder receives.
type sentContext struct {
	// key is the key below build.
	key, dir string
	// ignoreFiles are the files of which the first that exists excludes others.
	ignoreFiles []string
}

// localContexts returns the directories of a service's build.
func localContexts(p *types.Project, service string) []sentContext {
	t := &translator{project: p, service: p.Services[service]}
	b := t.service.Build
	var out []sentContext
	if local(b.Context) {
		main := Target{Context: Context{Dir: t.abs(b.Context)}}
		if b.DockerfileInline == "" {
			main.Dockerfile = b.Dockerfile
			if main.Dockerfile == "" {
				main.Dockerfile = defaultDockerfile
			}
			if !filepath.IsAbs(main.Dockerfile) {
				main.Dockerfile = filepath.Join(main.Context.Dir, main.Dockerfile)
			}
		}
		out = append(out, sentContext{"context", main.Context.Dir, main.ignoreFiles()})
	}
	for _, name := range slices.Sorted(maps.Keys(b.AdditionalContexts)) {
		if s := b.AdditionalContexts[name]; local(s) {
			dir := t.abs(s)
			out = append(out, sentContext{"additional_contexts." + name, dir, []string{filepath.Join(dir, dockerignore)}})
		}
	}
	return out
}

// local reports whether a context is a directory of this host.
func local(context string) bool {
	return context != "" && !isRemote(context) && !strings.Contains(context, "://") && !strings.HasPrefix(context, types.ServicePrefix)
}

func (c sentContext) sends(file string) (bool, error) {
	name, err := filepath.Rel(allow.Real(c.dir), allow.Real(file))
	if err != nil || !filepath.IsLocal(name) {
		return false, nil // elsewhere, or without a common root
	}
	excluded, err := localfs.Excluded(c.ignoreFiles, filepath.ToSlash(name))
	return !excluded, err
}
