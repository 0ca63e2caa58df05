package lifecycle

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Further values of a rule, next to those that Slipway writes.
// Source: "Lifecycle policy properties in Amazon ECR" in the ECR user guide.
const (
	countTransitioned = "sinceImageTransitioned"
	classArchive      = "archive"
	actionTransition  = "transition"
)

// maxDays is the longest age that a time.Duration can hold.
const maxDays = int(math.MaxInt64 / (24 * time.Hour))

// Image is an image of a repository, as far as lifecycle rules look at it.
type Image struct {
	// Tags are all its tags, none for an untagged image.
	Tags []string
	// Pushed is when the image was first pushed, from which its age counts.
	Pushed time.Time
	// Archived reports that the image is in the archive, or on its way back.
	Archived bool
	// ArchivedAt is when the image last went to the archive, zero if never.
	ArchivedAt time.Time
	// Indexes are the indexes that refer to the image. It stays as long as one of
	// them does.
	Indexes []Image
}

// Disposition says what becomes of an image.
type Disposition string

// The dispositions.
const (
	// Stays: no rule takes the image as it is tagged now.
	Stays Disposition = "stays"
	// Expires: it is deleted at the given time.
	Expires Disposition = "expires"
	// Archives: it goes to the archive at the given time, and cannot be pulled
	// then.
	Archives Disposition = "archives"
	// Unknown: that hangs on other images, on pulls, or on a rule of a kind not
	// known here.
	Unknown Disposition = "unknown"
)

// Parse reads the text of a policy; empty text means that there is no policy. A
// policy that cannot be understood makes every disposition Unknown.
func Parse(text string) Policy {
	if text == "" {
		return Policy{}
	}
	var d Policy
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return Policy{err: err}
	}
	slices.SortStableFunc(d.Rules, func(a, b Rule) int { return cmp.Compare(a.Priority, b.Priority) })
	for _, r := range d.Rules {
		if err := checkSelection(r.Selection); err != nil {
			return Policy{err: fmt.Errorf("%s: %w", r, err)}
		}
	}
	return d
}

// Expiry returns when the policy deletes or archives an image, as it is tagged
// now. ECR carries that out within a day of it. Of the rules that select the
// image only the one with the lowest number counts, since those with higher
// numbers cannot take what it selects ("How lifecycle policies work" in the ECR
// user guide); whether it is its turn yet makes no difference. The time is zero
// but with Expires and Archives. An image neither expires nor goes to the archive
// while an index refers to it ("Lifecycle policy evaluation rules" there), so the
// last of them decides.
func (p Policy) Expiry(image Image) (time.Time, Disposition) {
	at, disposition := p.expiry(image)
	for _, index := range image.Indexes {
		held, of := p.expiry(index)
		switch {
		case disposition == Stays || of == Stays:
			return time.Time{}, Stays
		case disposition == Unknown || of == Unknown:
			at, disposition = time.Time{}, Unknown
		case held.After(at):
			at = held
		}
	}
	return at, disposition
}

// expiry is Expiry of an image to which no index refers.
func (p Policy) expiry(image Image) (time.Time, Disposition) {
	if p.err != nil {
		return time.Time{}, Unknown
	}
	for _, rule := range p.Rules {
		if c := rule.Selection.StorageClass; c != "" && c != classStandard && c != classArchive {
			return time.Time{}, Unknown
		}
		if rule.Selection.selects(image) {
			return rule.at(image)
		}
	}
	return time.Time{}, Stays
}

// selects reports whether a rule is about an image, by its tags and storage
// class alone.
func (s Selection) selects(image Image) bool {
	if (s.StorageClass == classArchive) != image.Archived {
		return false
	}
	fits := func(patterns []string) bool {
		return !slices.ContainsFunc(patterns, func(pattern string) bool {
			return !slices.ContainsFunc(image.Tags, func(tag string) bool { return MatchTag(pattern, tag) })
		})
	}
	switch s.TagStatus {
	case statusUntagged:
		return len(image.Tags) == 0
	case statusTagged:
		return fits(s.TagPatterns) && fits(Rule{Selection: s}.prefixPatterns())
	default:
		return true
	}
}

// at returns when a rule takes an image that it selects, and how.
func (r Rule) at(image Image) (time.Time, Disposition) {
	disposition := map[string]Disposition{actionExpire: Expires, actionTransition: Archives}[r.Action.Type]
	since := image.Pushed
	switch {
	case disposition == "":
		return time.Time{}, Unknown
	case r.Selection.CountType == countMoreThan && (r.Selection.oneAtMost() || r.Selection.CountNumber >= wildcardImages):
		return time.Time{}, Stays
	case r.Selection.CountType == countTransitioned:
		since = image.ArchivedAt
	case r.Selection.CountType != countPushed:
		return time.Time{}, Unknown
	}
	days, unit := r.Selection.CountNumber, r.Selection.CountUnit
	if since.IsZero() || unit != unitDays && unit != "" || days > maxDays {
		return time.Time{}, Unknown
	}
	return since.Add(time.Duration(days) * 24 * time.Hour), disposition
}

// oneAtMost reports whether a rule selects one image at most: it names a whole
// tag, of which a repository has one.
func (s Selection) oneAtMost() bool {
	return slices.ContainsFunc(s.TagPatterns, func(pattern string) bool { return !strings.Contains(pattern, "*") })
}

// Managed reports whether a policy has Slipway's age rule. One that cannot be
// read has not.
func Managed(policy string) bool {
	rules, err := parsePolicy(policy)
	return err == nil && slices.ContainsFunc(rules, func(r ruleText) bool {
		return r.Own() && r.Selection.TagStatus == statusAny
	})
}

// Shortens reports whether a policy takes an image that another one lets stay
// longer.
func Shortens(before, after Policy, image Image) bool {
	was, disposition := before.Expiry(image)
	at, now := after.Expiry(image)
	switch {
	case now == Stays || now == disposition && at.Equal(was):
		return false
	case now == Expires && disposition == Expires:
		return at.Before(was)
	default:
		return true
	}
}

// MatchTag reports whether the whole of tag matches pattern, in which *
// stands for any text, also none.
func MatchTag(pattern, tag string) bool {
	if !strings.Contains(pattern, "*") {
		return pattern == tag
	}
	parts := strings.Split(pattern, "*")
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(part)
	}
	return regexp.MustCompile("^" + strings.Join(parts, ".*") + "$").MatchString(tag)
}
