package target

import (
	"context"
	"slices"
	"strings"

	"github.com/distribution/reference"
)

// dockerHub is the name that Docker Hub has in image references.
const dockerHub = "docker.io"

// hubNames are the other names of Docker Hub: that of go-containerregistry, that of the
// host which BuildKit asks for, and the one under which docker login keeps the password
// (domains/hosts of containerd's docker resolver, IndexServer of docker/cli).
var hubNames = []string{"index.docker.io", "registry-1.docker.io", "https://index.docker.io/v1/"}

// Registry returns the one name by which the registry at a host is known, so that names
// of the same registry are equal: Docker Hub has several.
func Registry(host string) string {
	host = strings.ToLower(host)
	if slices.Contains(hubNames, host) {
		return dockerHub
	}
	return host
}

// Registries returns the registries that the targets read or write, as Registry names
// them, sorted and each once: those of base images and of contexts, of the Dockerfile's
// syntax, of the layer caches of the compose file, and of the scanner of an SBOM.
//
// Where a Dockerfile cannot be read on this host, because the engine fetches it or because
// its syntax is unknown, its images are not known and their registries are left out; so
// are those of ONBUILD in a base image.
func Registries(ctx context.Context, targets []Target) []string {
	var out []string
	for _, t := range targets {
		for _, image := range t.images(ctx) {
			named, err := reference.ParseNormalizedNamed(image)
			if err != nil {
				continue // the engine refuses it
			}
			out = append(out, Registry(reference.Domain(named)))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// images are the references of all that a target pulls and of its own layer caches.
func (t Target) images(ctx context.Context) []string {
	// An error leaves out what is not known; the build itself says what is wrong.
	bases, _ := Bases(ctx, t)
	var out []string
	for _, b := range bases {
		out = append(out, b.Image)
	}
	for _, c := range slices.Concat(t.CacheFrom, t.CacheTo) {
		if c.Type == cacheRegistry {
			out = append(out, c.Attrs["ref"])
		}
	}
	for attr := range strings.SplitSeq(t.SBOM, ",") {
		if scanner, ok := strings.CutPrefix(strings.TrimSpace(attr), "generator="); ok {
			out = append(out, scanner)
		}
	}
	if t.SBOM != "" {
		out = append(out, defaultScanner) // where the attributes name none
	}
	return out
}
