package project

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"slipway/build/revision"
	"slipway/build/target"
	"slipway/internal/fault"
	"slipway/registry"
	"slipway/registry/revisions"
)

// RepositoryOf derives a service's repository: x-slipway.repository, an image key that
// lies in ECR, the variable <container>_REPOSITORY_URI that Amplify sets, else
// <project>/<service>.
func RepositoryOf(t target.Target, project string, lookupenv func(string) (string, bool)) (registry.Ref, error) {
	if ref, ok, err := namedRepository(t, lookupenv); ok || err != nil {
		return ref, err
	}
	ref, err := registry.ParseRef(registry.NormalizeName(project + "/" + t.Service))
	return ref, named("services."+t.Service, err)
}

// namedRepository returns the repository that the compose file or the environment names
// for a service, and reports whether there is one.
func namedRepository(t target.Target, lookupenv func(string) (string, bool)) (registry.Ref, bool, error) {
	if name := t.Settings.Repository; name != "" {
		ref, err := registry.ParseRef(name)
		return ref, err == nil, named("services."+t.Service+".x-slipway.repository", err)
	}
	if ref, ok, err := repositoryOfImage(t, lookupenv); ok || err != nil {
		return ref, ok, err
	}
	variable := t.Container + "_REPOSITORY_URI"
	if uri, ok := lookupenv(variable); ok && uri != "" {
		ref, err := registry.ParseRef(uri)
		return ref, err == nil, named("environment variable "+variable, err)
	}
	return registry.Ref{}, false, nil
}

// repositoryOfImage takes the repository of an image key in ECR; other registries'
// images are names for docker compose and no concern of ours. A registry on this host is
// another one too, unless AWS's own address is set, as it is for a local stand-in for AWS.
func repositoryOfImage(t target.Target, lookupenv func(string) (string, bool)) (registry.Ref, bool, error) {
	if t.Image == "" {
		return registry.Ref{}, false, nil
	}
	where := "services." + t.Service + ".image"
	parsed, err := reference.ParseNormalizedNamed(t.Image)
	if err != nil {
		// An unset ${TAG} leaves such a reference behind with no more than a warning.
		return registry.Ref{}, false, fault.NewInput(where, fmt.Sprintf("%q is not an image reference (%v)", t.Image, err), "check that the variables in it are set")
	}
	ref, err := registry.ParseRef(parsed.Name())
	host := reference.Domain(parsed)
	if errors.Is(err, registry.ErrNotECR) || err == nil && (host == "docker.io" || registry.IsLoopback(host) && !standIn(lookupenv)) {
		return registry.Ref{}, false, nil
	}
	return ref, err == nil, named(where, err)
}

// standIn reports whether ECR's address is set ("Service-specific endpoints" in the AWS
// SDKs and Tools Reference Guide).
func standIn(lookupenv func(string) (string, bool)) bool {
	for _, name := range []string{"AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL"} {
		if address, _ := lookupenv(name); address != "" {
			return true
		}
	}
	return false
}

func named(where string, err error) error {
	if err == nil {
		return nil
	}
	return fault.NewInput(where, err.Error(), "name the repository with x-slipway.repository: lower-case letters, digits and . _ - / in 2 to 256 characters")
}

// ParseExtraTags turns the tags key into tags of the service's own repository. An entry may be
// a bare tag, or a reference whose repository is the service's own or that of its image key.
func ParseExtraTags(t target.Target, repo registry.Ref, hash string) ([]string, error) {
	var out []string
	for _, entry := range t.Tags {
		tag, err := extraTag(entry, t, repo)
		if err != nil {
			return nil, fault.NewInput("services."+t.Service+".build.tags", err.Error(), "write the tag alone, or "+repo.Name+":TAG; tags in other repositories are not pushed")
		}
		if tag == hash || tag == registry.TagLatest || slices.Contains(out, tag) {
			continue // these move by themselves
		}
		if revisions.IsReserved(tag) {
			return nil, fault.NewInput("services."+t.Service+".build.tags", fmt.Sprintf("%q is a tag that slipway itself moves", tag), "choose another tag")
		}
		if revisions.IsUntrusted(tag) {
			return nil, fault.NewInput("services."+t.Service+".build.tags", fmt.Sprintf("%q begins as only the names of untrusted builds do", tag), "choose another tag")
		}
		if base, n := revision.ParseVariant(tag); base == hash && n > 1 {
			return nil, fault.NewInput("services."+t.Service+".build.tags", fmt.Sprintf("%q is the name of another build of %s", tag, hash), "choose another tag")
		}
		out = append(out, tag)
	}
	return out, nil
}

func extraTag(entry string, t target.Target, repo registry.Ref) (string, error) {
	if !strings.ContainsAny(entry, ":/") {
		return entry, registry.ValidateTag(entry)
	}
	parsed, err := reference.ParseNormalizedNamed(entry)
	if err != nil {
		return "", fmt.Errorf("%q is not an image reference (%w)", entry, err)
	}
	tagged, ok := reference.TagNameOnly(parsed).(reference.NamedTagged)
	if !ok {
		return "", fmt.Errorf("%q has a digest instead of a tag", entry)
	}
	if !sameRepository(parsed, t, repo) {
		return "", fmt.Errorf("%q lies in another repository than %s", entry, repo.Name)
	}
	return tagged.Tag(), nil
}

func sameRepository(parsed reference.Named, t target.Target, repo registry.Ref) bool {
	if reference.FamiliarName(parsed) == repo.Name {
		return true
	}
	if image, err := reference.ParseNormalizedNamed(t.Image); err == nil && image.Name() == parsed.Name() {
		return true
	}
	ref, err := registry.ParseRef(parsed.Name())
	if err != nil || ref.Name != repo.Name {
		return false
	}
	// An account or region that one of them leaves open is the caller's own.
	return (repo.Account == "" || ref.Account == repo.Account) && (repo.Region == "" || ref.Region == repo.Region)
}

// RepositoryOfImage is the ECR repository of an image reference, if it lies in one.
func RepositoryOfImage(image string) (registry.Ref, bool) {
	parsed, err := reference.ParseNormalizedNamed(image)
	if err != nil || reference.Domain(parsed) == "docker.io" {
		return registry.Ref{}, false
	}
	ref, err := registry.ParseRef(parsed.Name())
	return ref, err == nil
}

// RepositoryName returns the repository that a reference names, with its host and
// without tag and digest.
func RepositoryName(image string) (string, bool) {
	parsed, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return "", false
	}
	return parsed.Name(), true
}

// TagOrDigest returns the tag or digest that a reference names in its
// repository.
func TagOrDigest(image string) string {
	parsed, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return ""
	}
	if d, ok := parsed.(reference.Digested); ok {
		return d.Digest().String()
	}
	if t, ok := reference.TagNameOnly(parsed).(reference.Tagged); ok {
		return t.Tag()
	}
	return ""
}
