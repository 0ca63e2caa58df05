package target

import (
	"maps"
	"slices"

	"github.com/distribution/reference"
	policy "github.com/moby/buildkit/sourcepolicy/pb"

	"slipway/internal/mirror"
)

// imageSource begins the names of images in BuildKit's source policies.
const imageSource = "docker-image://"

// sourcePolicy pins images; engines before BuildKit 0.11 do not know it.
func (p Push) sourcePolicy() *policy.Policy {
	if len(p.Pins) == 0 {
		return nil
	}
	out := &policy.Policy{Version: 1}
	for _, ref := range slices.Sorted(maps.Keys(p.Pins)) {
		out.Rules = append(out.Rules, convert(imageSource+ref, imageSource+ref+"@"+p.Pins[ref], policy.MatchType_EXACT))
	}
	return out
}

// CopyPolicy returns the policy that makes an engine pull the copies of images,
// asked for by tag or by the digest to which a tag was resolved. It is nil without
// images.
func CopyPolicy(mirrors mirror.List, images []Base) *policy.Policy {
	var out *policy.Policy
	for _, b := range images {
		named, err := reference.ParseNormalizedNamed(b.Image)
		if err != nil {
			continue // the engine refuses it
		}
		from, to := imageSource+reference.TagNameOnly(named).String(), imageSource+mirrors.Mirror(b.Image)
		if out == nil {
			out = &policy.Policy{Version: 1}
		}
		out.Rules = append(out.Rules, convert(from, to, policy.MatchType_EXACT))
		if _, pinned := named.(reference.Digested); !pinned {
			out.Rules = append(out.Rules, convert(from+"@*", to+"@${1}", policy.MatchType_WILDCARD))
		}
	}
	return out
}

func convert(from, to string, match policy.MatchType) *policy.Rule {
	return &policy.Rule{
		Action:   policy.PolicyAction_CONVERT,
		Selector: &policy.Selector{Identifier: from, MatchType: match},
		Updates:  &policy.Update{Identifier: to},
	}
}
