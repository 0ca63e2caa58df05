package project

import (
	"fmt"
	"slices"
	"strings"

	"slipway/artifact"
)

// The cache modes of --cache, apart from s3://BUCKET/PREFIX.
const (
	CacheAuto     = "auto"
	CacheRegistry = "registry"
	CacheInline   = "inline"
	CacheNone     = "none"
)

var cacheModes = []string{CacheAuto, CacheRegistry, CacheInline, CacheNone}

const CacheHint = "use one of auto, registry, s3://BUCKET/PREFIX, inline, none"

// CacheOnS3 reports whether a mode is a place on S3.
func CacheOnS3(mode string) bool { return strings.HasPrefix(mode, "s3:") }

// CheckCache returns an error for a mode that does not exist.
func CheckCache(mode string) error {
	if CacheOnS3(mode) {
		_, err := CacheLocation(mode)
		return err
	}
	if !slices.Contains(cacheModes, mode) {
		return fmt.Errorf("unknown value %q", mode)
	}
	return nil
}

// CacheLocation is the bucket and the prefix of all keys, which ends in a slash unless it is
// empty.
func CacheLocation(mode string) (artifact.S3Location, error) {
	loc, err := artifact.ParseS3Prefix(mode)
	if err == nil && loc.Key != "" {
		loc.Key = strings.TrimSuffix(loc.Key, "/") + "/"
	}
	return loc, err
}
