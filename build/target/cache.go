package target

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"slipway/internal/redact"
)

// Cache is one BuildKit cache, with the attributes that buildx documents for its type.
type Cache struct {
	Type  string            `json:"type"`
	Attrs map[string]string `json:"attrs,omitempty"`
	// Platform is that of the engine the cache is for, where several share the work; empty
	// is any engine.
	Platform string `json:"-"`
}

// ParseCache reads a cache entry: comma-separated attributes with a type, or an image
// reference, which means type=registry.
func ParseCache(s string) (Cache, error) {
	if s = strings.TrimSpace(s); s == "" {
		return Cache{}, errors.New("is empty")
	}
	if !strings.ContainsAny(s, "=,") {
		return Cache{Type: cacheRegistry, Attrs: map[string]string{"ref": s}}, nil
	}
	c := Cache{Attrs: map[string]string{}}
	last := ""
	for part := range strings.SplitSeq(s, ",") {
		k, v, ok := strings.Cut(part, "=")
		k, v = strings.TrimSpace(k), strings.TrimSpace(v)
		if (!ok || k == "") && redact.Credential(last) {
			// Not quoted: it may be the end of a secret that has a comma.
			return Cache{}, fmt.Errorf("the attribute after %s is not key=value", last)
		}
		if !ok || k == "" {
			return Cache{}, fmt.Errorf("%q is not key=value", part)
		}
		last = k
		if k == "type" {
			c.Type = v
			continue
		}
		c.Attrs[k] = v
	}
	if c.Type == "" {
		return Cache{}, errors.New("has no type")
	}
	if c.Type == cacheRegistry && c.Attrs["ref"] == "" {
		return Cache{}, errors.New("type=registry needs a ref")
	}
	return c, nil
}

// shownCache is a cache entry, right or wrong, as an error may show it: without the values
// of credentials, and without what follows one that has a comma.
func shownCache(s string) string {
	parts := strings.Split(s, ",")
	secret := false
	for i, part := range parts {
		k, v, ok := strings.Cut(part, "=")
		switch {
		case ok:
			if secret = redact.Credential(strings.TrimSpace(k)); secret && v != "" {
				parts[i] = k + "=" + redact.Mark
			}
		case secret:
			parts[i] = redact.Mark
		}
	}
	return redact.Patterns(strings.Join(parts, ","))
}

// Secrets returns the values of the attributes of BuildKit's s3, azblob and gha caches that
// hold credentials (their READMEs in the cache exporters' documentation).
func (c Cache) Secrets() []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(c.Attrs)) {
		if redact.Credential(k) {
			out = append(out, c.Attrs[k])
		}
	}
	return out
}

// Redacted is the cache as it may be shown: without credentials, in attributes of their
// own and in addresses.
func (c Cache) Redacted() Cache {
	out := Cache{Type: c.Type, Attrs: maps.Clone(c.Attrs), Platform: c.Platform}
	for k, v := range out.Attrs {
		out.Attrs[k] = redact.Patterns(v)
		if v != "" && redact.Credential(k) {
			out.Attrs[k] = redact.Mark
		}
	}
	return out
}

// String writes the cache as the compose file would.
func (c Cache) String() string {
	s := "type=" + c.Type
	for _, k := range slices.Sorted(maps.Keys(c.Attrs)) {
		s += "," + k + "=" + c.Attrs[k]
	}
	return s
}

// RegistryCache is the cache kept under a tag of its own in a repository, in the form
// that ECR stores (an image manifest; facts of the registry cache exporter). A cache
// that cannot be written never fails the build.
func RegistryCache(ref string) (from, to Cache) {
	from = Cache{Type: cacheRegistry, Attrs: map[string]string{"ref": ref}}
	to = Cache{Type: cacheRegistry, Attrs: map[string]string{
		"ref": ref, "mode": "max", "image-manifest": "true", "oci-mediatypes": "true", "ignore-error": "true",
	}}
	return from, to
}

// S3Place is where caches lie on S3.
type S3Place struct {
	Bucket string
	// Prefix stands before all keys: empty, or ending in a slash.
	Prefix string
	Region string
	// Endpoint is the address of the API where it is not AWS's own.
	Endpoint string
}

// S3Cache is the cache of that name on S3 (the attributes are those of BuildKit's
// cache/remotecache/s3). Layers are shared by all names below a prefix. A cache that
// cannot be written never fails the build.
func S3Cache(place S3Place, name string) (from, to Cache) {
	attrs := map[string]string{"bucket": place.Bucket, "region": place.Region, "name": name}
	if place.Prefix != "" {
		attrs["prefix"] = place.Prefix
	}
	if place.Endpoint != "" {
		attrs["endpoint_url"], attrs["use_path_style"] = place.Endpoint, "true"
	}
	from = Cache{Type: cacheS3, Attrs: attrs}
	to = Cache{Type: cacheS3, Attrs: maps.Clone(attrs)}
	to.Attrs["mode"], to.Attrs["ignore-error"] = "max", "true"
	return from, to
}

// S3Credentials are the attributes that give BuildKit's S3 cache credentials. The token is
// empty for those that last.
func S3Credentials(keyID, secret, token string) map[string]string {
	attrs := map[string]string{"access_key_id": keyID, "secret_access_key": secret}
	if token != "" {
		attrs["session_token"] = token
	}
	return attrs
}

const (
	cacheRegistry = "registry"
	cacheS3       = "s3"
	// CacheInline is the type of a cache that lies in the image itself.
	CacheInline = "inline"
)
