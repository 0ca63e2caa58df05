package build

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/docker/cli/cli/config/types"

	"slipway/build/solve"
	"slipway/build/target"
	"slipway/internal/mirror"
)

// planned answers an engine that asks for logins: only the registries that the plan reads
// or writes get one. Others are answered anonymously, and noted.
type planned struct {
	targets []target.Target
	mirrors mirror.List
	// note is called once for each registry that got no login.
	note func(registry string)

	once       sync.Once
	registries []string

	mu       sync.Mutex
	withheld []string
}

// only limits the logins that another function gives.
func (p *planned) only(login solve.AuthFunc) solve.AuthFunc {
	return func(ctx context.Context, host string) (types.AuthConfig, error) {
		if !p.has(ctx, host) {
			return types.AuthConfig{}, nil
		}
		return login(ctx, host)
	}
}

// has reports whether the plan needs the registry at a host. The Dockerfiles are read when
// the first login is asked for.
func (p *planned) has(ctx context.Context, host string) bool {
	p.once.Do(func() { p.registries = target.Registries(context.WithoutCancel(ctx), p.targets) })
	name := target.Registry(host)
	if slices.Contains(p.registries, name) || slices.Contains(p.mirrors.Hosts(), name) {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.withheld, name) {
		p.withheld = append(p.withheld, name)
		if p.note != nil {
			p.note(name)
		}
	}
	return false
}

// hint says how the registries that a failure names can get a login; empty where the
// failure has nothing to do with one that was withheld.
func (p *planned) hint(failure string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range p.withheld {
		if strings.Contains(failure, name) {
			return "no docker login was given for " + name + ": neither the compose file nor a Dockerfile that can be read here names an image in it. " +
				"If it needs one, name the image under build.additional_contexts: {base: docker-image://" + name + "/IMAGE}"
		}
	}
	return ""
}
