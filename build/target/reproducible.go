package target

import (
	"fmt"
	"maps"
	"strconv"
)

// epochArg is the build argument for the time of a build, in seconds since 1970
// (https://reproducible-builds.org/specs/source-date-epoch/).
const epochArg = "SOURCE_DATE_EPOCH"

// reproducibleEpoch is the time in reproducible images if no other is given:
// 1 January 1980, the earliest that a zip archive can hold. Steps that read
// it may write zip archives.
const reproducibleEpoch = "315532800"

// compatibilityVersion pins how BuildKit assembles an image (docs/build-repro.md
// of BuildKit). Every engine since v0.30 knows 20, older ones ignore it. It differs
// from 30 only in the default of oci-mediatypes, which each request gives.
const compatibilityVersion = 20

// The attributes of BuildKit's image exporter (exporter/containerimage/exptypes).
const (
	attrRewriteTimestamp = "rewrite-timestamp"
	attrEpoch            = "source-date-epoch"
)

// AsReproducible returns the target with an image in which no time of the build
// is. The time in it is that of the service's argument SOURCE_DATE_EPOCH, else
// epoch, else 1 January 1980. Attestations are left out, since they contain the
// time; a warning names them. The error is an *InputError for a time that is not
// a number of seconds.
func (t Target) AsReproducible(epoch string) (Target, []string, error) {
	where := epochArg
	switch given, ok := t.Args[epochArg]; {
	case ok:
		epoch, where = given, "services."+t.Service+".build.args."+epochArg
	case epoch == "":
		epoch = reproducibleEpoch
	}
	if n, err := strconv.ParseInt(epoch, 10, 64); err != nil || n < 0 {
		return t, nil, badInput(where, "write the seconds since 1970 (`git log -1 --format=%ct` prints them), or leave it out", "%q is not a number of seconds", epoch)
	}
	out := t
	out.Reproducible = true
	out.Args = maps.Clone(t.Args)
	if out.Args == nil {
		out.Args = map[string]string{}
	}
	out.Args[epochArg] = epoch
	var warnings []string
	for _, a := range []struct {
		name  string
		value *string
	}{{"provenance", &out.Provenance}, {"sbom", &out.SBOM}} {
		if *a.value != "" {
			*a.value = ""
			warnings = append(warnings, fmt.Sprintf("services.%s.build.%s is left out: it contains the time of the build, and the image is reproducible", t.Service, a.name))
		}
	}
	return out, warnings, nil
}

// reproducibleAttrs rewrite the times of files that are newer than the epoch, in
// the layers above the base image.
func (t Target) reproducibleAttrs() map[string]string {
	if !t.Reproducible {
		return nil
	}
	return map[string]string{attrRewriteTimestamp: "true", attrEpoch: t.Args[epochArg]}
}

// times makes the target reproducible if it is to be so.
func (t *translator) times(out *Target) error {
	if !t.reproducible {
		return nil
	}
	reproducible, warnings, err := out.AsReproducible(t.project.Environment[epochArg])
	*out = reproducible
	t.warnings = append(t.warnings, warnings...)
	return err
}
