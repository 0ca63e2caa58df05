package target

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"sort"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/session/secrets/secretsprovider"

	"slipway/internal/allow"
	"slipway/internal/bounded"
	"slipway/internal/plain"
	"slipway/project/compose"
)

// Secret is one build secret. A file is read when the target is built.
type Secret struct {
	// ID is the id in RUN --mount=type=secret,id=ID.
	ID string
	// File or Env say where the value is.
	File, Env string
	// Value is the one of the environment or of the compose file. It is kept out of
	// every output.
	Value string `json:"-"`
}

// String names the secret without its value.
func (s Secret) String() string { return "secret " + s.ID }

// GoString is String: %#v shows no value either.
func (s Secret) GoString() string { return s.String() }

// SSH is one forwarded agent socket or set of keys.
type SSH struct {
	// ID is the id in RUN --mount=type=ssh,id=ID.
	ID string
	// Path is a socket or a key file.
	Path string
}

// Entitlements that BuildKit knows (util/entitlements) and that privileged stands for.
const (
	EntitlementNetworkHost      = "network.host"
	EntitlementSecurityInsecure = "security.insecure"
)

// translator turns one service's build section into a Target.
type translator struct {
	project      *types.Project
	service      types.ServiceConfig
	wanted       *allow.Wanted
	lookupEnv    func(string) (string, bool)
	reproducible bool
	warnings     []string
	// inactive reports that the service is behind a profile that is not active.
	inactive bool
}

func (t *translator) build() *types.BuildConfig { return t.service.Build }

func (t *translator) field(key string) string {
	return "services." + t.service.Name + ".build." + key
}

func (t *translator) refuse(key, remedy, format string, args ...any) error {
	return badInput(t.field(key), remedy, format, args...)
}

func (t *translator) warn(format string, args ...any) {
	t.warnings = append(t.warnings, plain.Sprintf(format, args...))
}

func (t *translator) target() (Target, error) {
	out := Target{Service: t.service.Name, Image: t.service.Image}
	for _, step := range []func(*Target) error{t.naming, t.contexts, t.plain, t.platforms, t.secrets, t.ssh, t.caches, t.sandbox, t.entitlements, t.attestations, t.times, t.ask} {
		if err := step(&out); err != nil {
			return Target{}, err
		}
	}
	return out, nil
}

func (t *translator) naming(out *Target) (err error) {
	if out.Settings, err = compose.ReadServiceSettings(t.service); err != nil {
		return err
	}
	// Nothing runs a service of an inactive profile, or one for docker compose only.
	out.Settings.Undeployed = out.Settings.Undeployed || t.inactive || out.Settings.Local.All
	out.Container, err = compose.ContainerOf(t.service, out.Settings)
	if out.Settings.Undeployed {
		return nil // no container has the name
	}
	return err
}

func (t *translator) contexts(out *Target) (err error) {
	if out.Context, err = t.mainContext(); err != nil {
		return err
	}
	if out.Dockerfile, out.DockerfileInline, err = t.dockerfile(out.Context); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(t.build().AdditionalContexts)) {
		c, err := t.additionalContext(name, t.build().AdditionalContexts[name])
		if err != nil {
			return err
		}
		if err := t.addContext(out, name, c); err != nil {
			return err
		}
	}
	return nil
}

// addContext adds an additional context under the name that BuildKit looks for: without
// docker.io, library and the tag latest (NamedContext in frontend/dockerui).
func (t *translator) addContext(out *Target, name string, c Context) error {
	key, short := "additional_contexts."+name, name
	if named, err := reference.ParseNormalizedNamed(name); err == nil {
		short = strings.TrimSuffix(reference.FamiliarString(named), ":latest")
	} else {
		t.warn("%s has no effect, since a Dockerfile cannot use this name: %v", t.field(key), err)
	}
	if _, ok := out.Contexts[short]; ok {
		return t.refuse(key, "keep one of the two", "is the same context as %s", short)
	}
	if out.Contexts == nil {
		out.Contexts = map[string]Context{}
	}
	out.Contexts[short] = c
	return nil
}

// plain carries the keys whose values BuildKit takes as they are.
func (t *translator) plain(out *Target) error {
	b := t.build()
	out.Target, out.Labels, out.Tags = b.Target, b.Labels, b.Tags
	out.NoCache, out.NoCacheFilter, out.Pull = b.NoCache, b.NoCacheFilter, b.Pull
	out.ShmSize = int64(b.ShmSize)
	for name, value := range b.Args {
		if value == nil {
			v, ok := t.project.Environment[name]
			if !ok {
				continue // as docker compose: an argument without a value anywhere is not passed
			}
			value = &v
		}
		if out.Args == nil {
			out.Args = map[string]string{}
		}
		out.Args[name] = *value
	}
	if b.Isolation != "" && b.Isolation != "default" {
		return t.refuse("isolation", "remove the key: it is for Windows engines, BuildKit has none", "%q cannot be carried out", b.Isolation)
	}
	for _, text := range compose.UnreadBake(b) {
		t.warn("%s", t.field("x-bake."+text))
	}
	return nil
}

func (t *translator) platforms(out *Target) error {
	list := t.build().Platforms
	if len(list) == 0 && t.service.Platform != "" {
		list = []string{t.service.Platform}
	}
	for _, s := range list {
		p, err := platforms.Parse(s)
		if err != nil {
			return t.refuse("platforms", "write them as os/architecture, linux/arm64", "%q: %v", s, err)
		}
		// One that is named twice, or by a synonym, is built once.
		if name := platforms.Format(platforms.Normalize(p)); !slices.Contains(out.Platforms, name) {
			out.Platforms = append(out.Platforms, name)
		}
	}
	return nil
}

func (t *translator) secrets(out *Target) error {
	for _, ref := range t.build().Secrets {
		s, err := t.secret(ref)
		if err != nil {
			return err
		}
		out.Secrets = append(out.Secrets, s)
	}
	return nil
}

func (t *translator) secret(ref types.ServiceSecretConfig) (Secret, error) {
	key := "secrets." + ref.Source
	def, ok := t.project.Secrets[ref.Source]
	if !ok {
		return Secret{}, t.refuse(key, "declare it under secrets: at the top of the file", "no such secret")
	}
	s := Secret{ID: ref.Target, File: def.File, Env: def.Environment}
	if s.ID == "" {
		s.ID = ref.Source
	}
	if ref.UID != "" || ref.GID != "" || ref.Mode != nil {
		t.warn("%s: uid, gid and mode do not reach a build; set them on the Dockerfile's RUN --mount=type=secret", t.field(key))
	}
	switch {
	case bool(def.External):
		return Secret{}, t.refuse(key, "give it a file or an environment variable", "an external secret cannot be read here")
	case s.File != "":
		if !t.wanted.Read(s.File, t.field(key)) {
			break
		}
		if _, err := os.Stat(s.File); err != nil {
			return Secret{}, t.refuse(key, "create the file or correct the path", "%v", err)
		}
		if err := bounded.CheckFile(s.File, secretsprovider.MaxSecretSize); err != nil {
			return Secret{}, t.refuse(key, secretRemedy, "%v", err)
		}
	case s.Env != "":
		if _, ok := t.project.Environment[s.Env]; !ok {
			return Secret{}, t.refuse(key, "set the variable in the environment", "the environment variable %s is not set", s.Env)
		}
		s.Value = t.project.Environment[s.Env]
	case def.Content != "":
		s.Value = def.Content
	default:
		return Secret{}, t.refuse(key, "give it a file or an environment variable", "has no source")
	}
	return s, nil
}

func (t *translator) ssh(out *Target) error {
	// compose-go returns the list in any order, and Inputs must not depend on it.
	defer func() { slices.SortFunc(out.SSH, func(a, b SSH) int { return strings.Compare(a.ID, b.ID) }) }()
	for _, k := range t.build().SSH {
		path := t.project.Environment["SSH_AUTH_SOCK"]
		if k.Path == "" && path == "" {
			return t.refuse("ssh."+k.ID, "start an ssh-agent, or name a key: "+k.ID+"=path", "SSH_AUTH_SOCK is not set")
		}
		if k.Path != "" {
			path = t.abs(k.Path)
			if _, err := os.Stat(path); err != nil {
				return t.refuse("ssh."+k.ID, "correct the path of the key or socket", "%v", err)
			}
		}
		out.SSH = append(out.SSH, SSH{ID: k.ID, Path: path})
	}
	return nil
}

func (t *translator) caches(out *Target) (err error) {
	for _, s := range t.build().CacheFrom {
		c, err := ParseCache(s)
		if err != nil {
			return t.refuse("cache_from", "write type=registry,ref=… or an image reference", "%q: %v", shownCache(s), err)
		}
		if t.usable("cache_from", c) {
			out.CacheFrom = append(out.CacheFrom, c)
		}
	}
	for _, s := range t.build().CacheTo {
		c, err := ParseCache(s)
		if err != nil {
			return t.refuse("cache_to", "write type=registry,ref=… or type=inline", "%q: %v", shownCache(s), err)
		}
		if t.usable("cache_to", c) {
			out.CacheTo = append(out.CacheTo, c)
		}
	}
	return nil
}

// sandbox carries what RUN steps see: network, hosts, limits.
func (t *translator) sandbox(out *Target) error {
	b := t.build()
	switch b.Network {
	case "", "default":
	case "none", "host":
		out.Network = b.Network
	default:
		return t.refuse("network", "BuildKit knows default, none and host", "%q cannot be carried out", b.Network)
	}
	for _, host := range slices.Sorted(maps.Keys(b.ExtraHosts)) {
		for _, addr := range b.ExtraHosts[host] {
			if addr == "host-gateway" {
				return t.refuse("extra_hosts."+host, "write the address itself", "host-gateway means something to a Docker engine only")
			}
			out.ExtraHosts = append(out.ExtraHosts, host+"="+strings.Trim(addr, "[]"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.Ulimits)) {
		u := b.Ulimits[name]
		soft, hard := u.Soft, u.Hard
		if u.Single != 0 {
			soft, hard = u.Single, u.Single
		}
		out.Ulimits = append(out.Ulimits, fmt.Sprintf("%s=%d:%d", name, soft, hard))
	}
	return nil
}

func (t *translator) entitlements(out *Target) error {
	b := t.build()
	asked := slices.Clone([]string(b.Entitlements))
	key := "entitlements"
	if b.Privileged {
		asked, key = append(asked, EntitlementSecurityInsecure), "privileged"
	}
	sort.Strings(asked)
	for _, e := range slices.Compact(asked) {
		if e != EntitlementNetworkHost && e != EntitlementSecurityInsecure && e != "device" && !strings.HasPrefix(e, "device=") {
			return t.refuse("entitlements", "BuildKit knows network.host, security.insecure and device", "unknown entitlement %q", e)
		}
		kind, value, _ := strings.Cut(e, "=")
		t.wanted.Add(allow.Want{Kind: allow.Kind(kind), Value: value, Where: t.field(key)})
		out.Entitlements = append(out.Entitlements, e)
	}
	if out.Network == "host" && !slices.Contains(out.Entitlements, EntitlementNetworkHost) {
		t.wanted.Add(allow.Want{Kind: allow.NetworkHost, Where: t.field("network")})
		out.Entitlements = append([]string{EntitlementNetworkHost}, out.Entitlements...)
	}
	return nil
}

// attestations carries provenance and sbom: a boolean or BuildKit's attributes.
func (t *translator) attestations(out *Target) error {
	b := t.build()
	switch p := b.Provenance; p {
	case "", "false":
	case "true":
		out.Provenance = "mode=min"
	default:
		out.Provenance = p
	}
	switch s := b.SBOM; s {
	case "", "false":
	case "true":
		out.SBOM = "generator=" + defaultScanner
	default:
		out.SBOM = s
	}
	if out.Provenance != "" && !t.reproducible {
		t.warn("%s: provenance holds the time of the build, so the digest is a new one each time", t.field("provenance"))
	}
	return nil
}

// defaultScanner is the SBOM scanner that buildx documents as its default.
const defaultScanner = "docker/buildkit-syft-scanner:stable-1"
