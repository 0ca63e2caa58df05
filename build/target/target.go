package target

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/internal/allow"
	"slipway/internal/fault"
	"slipway/internal/plain"
	"slipway/project/compose"
)

// Target is one service to build, with every build key resolved to a plain value.
// Two targets with equal fields give the same BuildKit request.
type Target struct {
	// Service is the compose service's name.
	Service string
	// Container is the name in the ECS task definition.
	Container string
	// Image is the service's image key, if it has one.
	Image string
	// Settings are the service's x-slipway.
	Settings compose.ServiceSettings

	// Context is the main build context.
	Context Context
	// Dockerfile is the path of the Dockerfile: absolute on this host for a local
	// context, relative to a remote one. Empty with DockerfileInline.
	Dockerfile string
	// DockerfileInline is the Dockerfile's text when the compose file holds it.
	DockerfileInline string
	// Target is the stage to build; empty means the last.
	Target string
	// Args are the build arguments; those without a value anywhere are left out.
	Args map[string]string
	// Labels go into the image's configuration.
	Labels map[string]string
	// Platforms are OCI platforms; several make an index, none means the engine's own.
	Platforms []string
	// Contexts are the additional contexts by name.
	Contexts map[string]Context
	// Secrets are the build secrets, values not read yet.
	Secrets []Secret
	// SSH are the forwarded agents or keys.
	SSH []SSH
	// CacheFrom and CacheTo are the compose file's own caches.
	CacheFrom, CacheTo []Cache
	// Tags are the extra image references of the compose file.
	Tags []string

	// NoCache ignores all cache, NoCacheFilter that of the stages named.
	NoCache       bool
	NoCacheFilter []string
	// Pull looks for newer base images.
	Pull bool
	// Network is the network of RUN steps: empty, none or host.
	Network string
	// ExtraHosts are host=address lines for RUN steps.
	ExtraHosts []string
	// ShmSize is the size of /dev/shm in bytes; 0 means BuildKit's own.
	ShmSize int64
	// Ulimits are name=soft:hard lines.
	Ulimits []string
	// Entitlements are the entitlements that the build asks for.
	Entitlements []string
	// Compression is that of the layers; empty is gzip, which the inputs of images built so
	// far stand for.
	Compression Compression `json:",omitempty"`
	// Reproducible makes the image independent of the time of the build (see
	// AsReproducible).
	Reproducible bool `json:",omitempty"`
	// Provenance and SBOM are the attestations asked for, in BuildKit's own words.
	Provenance, SBOM string
}

// Selection says which services are built.
type Selection struct {
	// Services are names; empty means all with a build section.
	Services []string
	// Wanted takes what the services ask for beyond the project's own; nil lets them.
	Wanted *allow.Wanted
	// LookupEnv reads this process's environment; nil means that it has no variables.
	LookupEnv func(string) (string, bool)
	// Reproducible makes the targets reproducible, as AsReproducible does with the
	// environment's SOURCE_DATE_EPOCH.
	Reproducible bool
}

// Select turns the project's services with a build section into targets, sorted by
// service name. A selection brings the services along that it is linked to by
// additional_contexts, those of inactive profiles included. It reads the file system to
// check that contexts, Dockerfiles and secrets are there, and nothing else. Warnings are
// sentences for the user; errors are *InputError.
func Select(p *types.Project, sel Selection) (targets []Target, warnings []string, err error) {
	names, err := selectServices(p, sel.Services)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		t := translator{project: p, wanted: sel.Wanted, lookupEnv: sel.LookupEnv, reproducible: sel.Reproducible}
		t.service, t.inactive, _ = lookupService(p, name)
		target, err := t.target()
		if err != nil {
			return nil, nil, err
		}
		targets = append(targets, target)
		warnings = append(warnings, t.warnings...)
	}
	return targets, warnings, checkLinks(targets)
}

func selectServices(p *types.Project, asked []string) ([]string, error) {
	if len(asked) == 0 {
		if asked = buildable(p); len(asked) == 0 {
			return nil, nothingToBuild(p)
		}
	}
	chosen := map[string]bool{}
	for _, name := range asked {
		if err := selectService(p, name, "", chosen); err != nil {
			return nil, err
		}
	}
	return slices.Sorted(maps.Keys(chosen)), nil
}

// nothingToBuild is the error for a project without a service to build. It names those
// that are behind a profile.
func nothingToBuild(p *types.Project) error {
	inactive := &InactiveError{}
	for _, name := range slices.Sorted(maps.Keys(p.DisabledServices)) {
		s := p.DisabledServices[name]
		if s.Build == nil || len(s.Profiles) == 0 {
			continue
		}
		inactive.services = append(inactive.services, name+" ("+strings.Join(s.Profiles, ", ")+")")
		if !slices.Contains(inactive.Profiles, s.Profiles[0]) {
			inactive.Profiles = append(inactive.Profiles, s.Profiles[0])
		}
	}
	if len(inactive.services) == 0 {
		return badInput(projectFile(p), "add a build section to a service; services with only an image are left to ECS", "no service has a build section")
	}
	return &fault.InputError{Where: projectFile(p), Err: inactive}
}

// InactiveError is a project whose services to build are all behind inactive profiles.
type InactiveError struct {
	// Profiles activate all of the services.
	Profiles []string
	services []string
}

// Error names the services and their profiles.
func (e *InactiveError) Error() string {
	return plain.Text("no active service has a build section; these are behind profiles: " + strings.Join(e.services, ", "))
}

// lookupService finds a service, also behind a profile that is not active.
func lookupService(p *types.Project, name string) (s types.ServiceConfig, inactive, ok bool) {
	if s, ok = p.Services[name]; ok {
		return s, false, true
	}
	s, ok = p.DisabledServices[name]
	return s, true, ok
}

// selectService adds a service and the ones its contexts link to.
func selectService(p *types.Project, name, from string, chosen map[string]bool) error {
	if chosen[name] {
		return nil
	}
	s, inactive, ok := lookupService(p, name)
	where := projectFile(p)
	if from == "" {
		ok = ok && !inactive
	} else {
		where = "services." + from + ".build.additional_contexts"
	}
	if !ok {
		return badInput(where, "services with a build section: "+strings.Join(buildable(p), ", "), "no service %q", name)
	}
	if s.Build == nil {
		return badInput("services."+name, "only services with a build section can be built: "+strings.Join(buildable(p), ", "), "the service has no build section")
	}
	chosen[name] = true
	for _, link := range slices.Sorted(maps.Values(s.Build.AdditionalContexts)) {
		if to, ok := strings.CutPrefix(link, types.ServicePrefix); ok {
			if err := selectService(p, to, name, chosen); err != nil {
				return err
			}
		}
	}
	return nil
}

// buildable are the services with a build section, sorted. Those for docker compose
// only are left out.
func buildable(p *types.Project) []string {
	var names []string
	for name, s := range p.Services {
		// What is wrong with the settings is an error where the service is read.
		if settings, _ := compose.ReadServiceSettings(s); s.Build != nil && !settings.Local.All {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func projectFile(p *types.Project) string {
	if len(p.ComposeFiles) > 0 {
		return p.ComposeFiles[0]
	}
	return p.WorkingDir
}

// Links are the services whose images the target's contexts are, sorted.
func (t Target) Links() []string {
	var links []string
	for _, c := range t.Contexts {
		if c.Service != "" {
			links = append(links, c.Service)
		}
	}
	slices.Sort(links)
	return slices.Compact(links)
}

// Locals are the local directories that the target reads, by the names that the
// frontend gives them. An inline Dockerfile is in none.
func (t Target) Locals() map[string]string {
	out := map[string]string{}
	add := func(name, dir string) {
		if dir != "" {
			out[name] = dir
		}
	}
	add(localContext, t.Context.Dir)
	dir, _ := t.dockerfileDir()
	add(localDockerfile, dir)
	for name, c := range t.Contexts {
		add(localName(name), c.Dir)
	}
	return out
}

// checkLinks refuses services that need each other in a circle.
func checkLinks(targets []Target) error {
	byName := map[string]Target{}
	for _, t := range targets {
		byName[t.Service] = t
	}
	done := map[string]bool{}
	var visit func(name string, path []string) error
	visit = func(name string, path []string) error {
		if slices.Contains(path, name) {
			return badInput("services."+name+".build.additional_contexts", "break the circle", "services need each other: %s", strings.Join(append(path, name), " -> "))
		}
		if done[name] {
			return nil
		}
		for _, next := range byName[name].Links() {
			if err := visit(next, append(path, name)); err != nil {
				return err
			}
		}
		done[name] = true
		return nil
	}
	for _, t := range targets {
		if err := visit(t.Service, nil); err != nil {
			return err
		}
	}
	return nil
}

// String names the target in messages.
func (t Target) String() string { return fmt.Sprintf("service %s", t.Service) }

// Unselected are the services with a build section that are not among the targets: their
// names and x-slipway only.
func Unselected(p *types.Project, targets []Target) ([]Target, error) {
	var others []Target
	for _, name := range buildable(p) {
		if slices.ContainsFunc(targets, func(t Target) bool { return t.Service == name }) {
			continue
		}
		t := translator{project: p, service: p.Services[name]}
		out := Target{Service: name, Image: t.service.Image}
		if err := t.naming(&out); err != nil {
			return nil, err
		}
		others = append(others, out)
	}
	return others, nil
}
