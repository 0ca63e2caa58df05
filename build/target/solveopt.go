package target

import (
	"encoding/csv"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/staticfs"
	"github.com/tonistiigi/fsutil"
	fstypes "github.com/tonistiigi/fsutil/types"
)

// Push is the destination of a target's image, with the image's annotations and
// caches.
type Push struct {
	// Repository is host/name, without a tag.
	Repository string
	// Insecure makes the engine speak plain HTTP to the registry.
	Insecure bool
	// Inputs is the value of the InputsAnnotation.
	Inputs string
	// Built are images that are in the repository already, by the digest of their
	// configuration: one that comes out again need not be read back from an engine's store.
	Built map[string]string
	// CacheFrom and CacheTo are used where the compose file has none of its own.
	CacheFrom, CacheTo []Cache
	// Pins are digests of images by reference: the engine takes these, whatever the
	// tags have come to point to, and whatever it has itself.
	Pins map[string]string
	// Namespace keeps the build apart from others on the same engine (see
	// namespaceAttrs); empty shares its layers.
	Namespace string
}

// InputsAnnotation is the manifest annotation that holds the sha256 of a service's
// resolved build settings. A later job compares it with its own.
const InputsAnnotation = "build.slipway.inputs"

// Sources are the directories and images that a request takes from this host and
// from the builds before it.
type Sources struct {
	// Session gives the id of the session that serves a local directory, or the one
	// that serves an inline Dockerfile for the key InlineKey gives.
	Session map[string]string
	// Images are the references, by digest, of the services that contexts link to.
	Images map[string]string
}

// InlineKey is the key in Sources.Session of a target's inline Dockerfile.
func (t Target) InlineKey() string { return "inline:" + t.Service }

// SessionKeys returns the keys in Sources.Session of the directories that the
// target reads from this host, by the names that the frontend gives to them.
func (t Target) SessionKeys() map[string]string {
	keys := t.Locals()
	if t.DockerfileInline != "" {
		keys[localDockerfile] = t.InlineKey()
	}
	return keys
}

// InlineTree returns a directory that holds the inline Dockerfile alone, under the
// name that the request gives it.
func (t Target) InlineTree() fsutil.FS {
	tree := staticfs.NewFS()
	tree.Add(defaultDockerfile, &fstypes.Stat{Mode: 0o644}, []byte(t.DockerfileInline))
	return tree
}

// SolveOpt is the BuildKit request for a target. It is pure: sessions, secrets and
// credentials are for the caller to attach. Attribute names are those of BuildKit's
// Dockerfile frontend (frontend/dockerui) and image exporter (docs/image-exporter).
func (t Target) SolveOpt(push Push, src Sources) client.SolveOpt {
	attrs := map[string]string{}
	t.sourceAttrs(attrs, src)
	t.valueAttrs(attrs)
	t.namespaceAttrs(attrs, push.Namespace)
	from, to := t.CacheFrom, t.CacheTo
	if t.ImportsPushCache() {
		from = push.CacheFrom
	}
	if t.ExportsPushCache() {
		to = t.compressed(push.CacheTo)
	}
	out := client.SolveOpt{
		Frontend:            "dockerfile.v0",
		FrontendAttrs:       attrs,
		Exports:             []client.ExportEntry{{Type: client.ExporterImage, Attrs: t.exportAttrs(push)}},
		CacheImports:        cacheEntries(from, push.Insecure),
		CacheExports:        cacheEntries(t.withInline(to), push.Insecure),
		AllowedEntitlements: t.Entitlements,
		SourcePolicy:        push.sourcePolicy(),
	}
	if t.Reproducible {
		out.CompatibilityVersion = compatibilityVersion
	}
	return out
}

// ImportsPushCache reports whether the target reads the caches of its Push: those
// of the compose file take precedence.
func (t Target) ImportsPushCache() bool { return len(t.CacheFrom) == 0 }

// ExportsPushCache reports whether the target writes the caches of its Push.
func (t Target) ExportsPushCache() bool { return len(t.CacheTo) == 0 }

// inlineCacheArg is the build argument that adds an inline cache to the image, as with
// docker build ("Pre-defined ARGs" in the Dockerfile reference).
const inlineCacheArg = "BUILDKIT_INLINE_CACHE"

// withInline adds the inline cache that the build arguments ask for.
func (t Target) withInline(caches []Cache) []Cache {
	asked, err := strconv.ParseBool(t.Args[inlineCacheArg])
	inline := func(c Cache) bool { return c.Type == CacheInline }
	if err != nil || !asked || slices.ContainsFunc(caches, inline) {
		return caches
	}
	return append(slices.Clone(caches), Cache{Type: CacheInline})
}

// sourceAttrs sets where the frontend finds the contexts and the Dockerfile. The
// name of a local source is always the frontend's own; its session determines the
// directory.
func (t Target) sourceAttrs(attrs map[string]string, src Sources) {
	if t.Context.Dir != "" {
		attrs["local-sessionid:"+localContext] = src.Session[t.Context.Dir]
	} else {
		attrs["context"] = t.Context.Remote
	}
	switch {
	case t.DockerfileInline != "":
		attrs["filename"] = defaultDockerfile
		attrs["dockerfilekey"] = localDockerfile
		attrs["local-sessionid:"+localDockerfile] = src.Session[t.InlineKey()]
	case t.Context.Dir != "":
		dir, file := t.dockerfileDir()
		attrs["filename"] = file
		attrs["local-sessionid:"+localDockerfile] = src.Session[dir]
	default:
		attrs["filename"] = t.Dockerfile
	}
	for name, c := range t.Contexts {
		attrs["context:"+name] = c.frontendValue(name, src)
		if c.Dir != "" {
			attrs["local-sessionid:"+localName(name)] = src.Session[c.Dir]
		}
	}
}

// The frontend's default names for the sources of the main context and of the Dockerfile
// (frontend/dockerui).
const (
	localContext    = "context"
	localDockerfile = "dockerfile"
)

func localName(context string) string { return "context-" + context }

// StoreID returns the id of the content store, in a session, for the OCI layout of
// a context.
func StoreID(context string) string { return "layout-" + strings.ToLower(context) }

func (c Context) frontendValue(name string, src Sources) string {
	switch {
	case c.Dir != "":
		return "local:" + localName(name)
	case c.OCILayout != "":
		return "oci-layout://" + StoreID(name) + "@" + c.Digest
	case c.Service != "":
		return "docker-image://" + src.Images[c.Service]
	default:
		return c.String()
	}
}

func (t Target) valueAttrs(attrs map[string]string) {
	for k, v := range t.Args {
		attrs["build-arg:"+k] = v
	}
	for k, v := range t.Labels {
		attrs["label:"+k] = v
	}
	set := func(key, value string) {
		if value != "" {
			attrs[key] = value
		}
	}
	set("target", t.Target)
	set("platform", strings.Join(t.Platforms, ","))
	set("force-network-mode", t.Network)
	set("add-hosts", csvLine(t.ExtraHosts))
	set("ulimit", csvLine(t.Ulimits))
	set("no-cache", strings.Join(t.NoCacheFilter, ","))
	set("attest:provenance", t.Provenance)
	set("attest:sbom", t.SBOM)
	if t.NoCache {
		attrs["no-cache"] = ""
	}
	if t.Pull {
		attrs["image-resolve-mode"] = "pull"
	}
	if t.ShmSize > 0 {
		attrs["shm-size"] = strconv.FormatInt(t.ShmSize, 10)
	}
}

// exportAttrs pushes by digest: no tag appears before every image is there.
func (t Target) exportAttrs(push Push) map[string]string {
	attrs := map[string]string{
		"name":           push.Repository,
		"push":           "true",
		"push-by-digest": "true",
		"oci-mediatypes": "true",
		// A Docker engine would list each image, nameless, among its user's.
		"store": "false",
	}
	maps.Copy(attrs, t.compressionAttrs())
	maps.Copy(attrs, t.reproducibleAttrs())
	if push.Insecure {
		attrs["registry.insecure"] = "true"
	}
	if push.Inputs != "" {
		level := "annotation."
		if t.index() {
			level = "annotation-index."
		}
		attrs[level+InputsAnnotation] = push.Inputs
	}
	return attrs
}

// index reports whether the result is an image index rather than one manifest.
func (t Target) index() bool {
	return len(t.Platforms) > 1 || t.Provenance != "" || t.SBOM != ""
}

func cacheEntries(caches []Cache, insecure bool) []client.CacheOptionsEntry {
	var out []client.CacheOptionsEntry
	for _, c := range caches {
		attrs := maps.Clone(c.Attrs)
		if attrs == nil {
			attrs = map[string]string{}
		}
		if insecure && c.Type == cacheRegistry {
			attrs["registry.insecure"] = "true"
		}
		out = append(out, client.CacheOptionsEntry{Type: c.Type, Attrs: attrs})
	}
	return out
}

// csvLine joins values as one CSV record, which is how the frontend reads lists.
func csvLine(values []string) string {
	if len(values) == 0 {
		return ""
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	// A strings.Builder takes every write.
	_ = w.Write(values)
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}

// kept is an export that goes nowhere: without one, BuildKit has no result whose layers
// it could put into the cache. The layers are compressed as they were for the push, or
// they would be once more.
func kept(push client.ExportEntry) client.ExportEntry {
	attrs := map[string]string{"oci-mediatypes": "true", "store": "false"}
	for _, k := range []string{attrCompression, attrForceCompression} {
		if v, ok := push.Attrs[k]; ok {
			attrs[k] = v
		}
	}
	return client.ExportEntry{Type: client.ExporterImage, Attrs: attrs}
}

// SplitCache takes the export of the layer cache out of a request, into one of its own
// for after the pushes; nil when there is none. BuildKit exports both at the same time, and
// where both lie in one repository its two pushes of a layer share one record of how far
// they came: each can take the other's bytes for its own and wait forever (the status
// watch of the resolver that util/resolver's pool hands to both). An inline cache is
// part of the image and stays.
//
// The second request finds every step in the engine's cache, so it must not be told to
// ignore that.
func SplitCache(opt client.SolveOpt) (push client.SolveOpt, cache *client.SolveOpt) {
	push = opt
	push.CacheExports = nil
	var after []client.CacheOptionsEntry
	for _, e := range opt.CacheExports {
		if e.Type == CacheInline {
			push.CacheExports = append(push.CacheExports, e)
		} else {
			after = append(after, e)
		}
	}
	if len(after) == 0 {
		return push, nil
	}
	second := opt
	second.Exports, second.CacheExports = []client.ExportEntry{kept(opt.Exports[0])}, after
	second.FrontendAttrs = maps.Clone(opt.FrontendAttrs)
	delete(second.FrontendAttrs, "no-cache")
	delete(second.FrontendAttrs, "image-resolve-mode")
	return push, &second
}
