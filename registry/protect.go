package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Prefixes of the tags that protect the images of one ECS service: the running
// image, and the one that ran before it.
const (
	livePrefix     = "live-"
	previousPrefix = "previous-"
)

// LiveTag returns the tag that protects the running image of an ECS service.
// An empty cluster is the one called default.
func LiveTag(cluster, service string) string { return serviceTag(livePrefix, cluster, service) }

// PreviousTag returns the tag that protects the image that an ECS service ran
// before the running one.
func PreviousTag(cluster, service string) string { return serviceTag(previousPrefix, cluster, service) }

// PreviousOf returns the PreviousTag of the service of a LiveTag.
func PreviousOf(live string) string {
	return shortened(previousPrefix + strings.TrimPrefix(live, livePrefix))
}

// serviceTag names a service after a prefix. Both tags of a service have one
// ending, which fits behind the longer prefix.
func serviceTag(prefix, cluster, service string) string {
	if cluster == "" {
		cluster = "default"
	}
	return prefix + strings.TrimPrefix(shortened(previousPrefix+cluster+"."+service), previousPrefix)
}

// shortened returns a tag of at most 128 characters: of a longer one, the end is
// replaced by a checksum of the whole.
func shortened(tag string) string {
	if len(tag) <= maxTag {
		return tag
	}
	sum := sha256.Sum256([]byte(tag))
	end := "-" + hex.EncodeToString(sum[:8])
	return tag[:maxTag-len(end)] + end
}

// IsLiveTag reports whether a tag protects the running image of an ECS service.
func IsLiveTag(tag string) bool { return strings.HasPrefix(tag, livePrefix) }

// IsServiceTag reports whether a tag protects an image of an ECS service.
func IsServiceTag(tag string) bool {
	return strings.HasPrefix(tag, livePrefix) || strings.HasPrefix(tag, previousPrefix) && tag != TagPrevious
}
