package revisions

import (
	"context"
	"fmt"
	"strings"
	"time"

	"slipway/internal/fault"
	"slipway/registry"
	"slipway/registry/lifecycle"
	"slipway/registry/manifests"
)

// shownRevisions is how many revisions an error offers instead.
const shownRevisions = 3

// NameError is a text that can name no revision.
type NameError struct {
	Text string
	Err  error
}

// Error says what is wrong with the text.
func (e *NameError) Error() string {
	return fmt.Sprintf("%q cannot name a revision: %v", e.Text, e.Err)
}

// Kind returns fault.Usage.
func (e *NameError) Kind() fault.Kind { return fault.Usage }

// Unwrap returns what is wrong with it.
func (e *NameError) Unwrap() error { return e.Err }

// UnknownError says that no revision has such a name, nor one that begins so.
type UnknownError struct {
	Text string
	// Newest are the newest revisions that could be rolled back to, three at
	// most.
	Newest []Revision
	// At is when they were listed.
	At time.Time
}

// Error says so.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("no revision begins with %q", e.Text)
}

// Kind returns fault.Usage.
func (e *UnknownError) Kind() fault.Kind { return fault.Usage }

// AmbiguousError says that a prefix fits several revisions.
type AmbiguousError struct {
	Text string
	// Matches are the revisions, newest first: complete ones where there are any.
	Matches []Revision
	// At is when they were listed.
	At time.Time
}

// Error names the revisions with their ages.
func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%d revisions begin with %q:", len(e.Matches), e.Text) + Lines(e.Matches, e.At)
}

// Kind returns fault.Usage.
func (e *AmbiguousError) Kind() fault.Kind { return fault.Usage }

// Hint says what to give instead.
func (e *AmbiguousError) Hint() string { return "give more of the hash" }

// Lines describes revisions for people: each on a line of its own, after a line
// break, with its age.
func Lines(revisions []Revision, now time.Time) string {
	var b strings.Builder
	for _, r := range revisions {
		fmt.Fprintf(&b, "\n  %s  made %s ago", r.Name, age(now.Sub(r.Made)))
		if !r.Complete() {
			b.WriteString(", not complete")
		}
		if len(r.Archived) > 0 {
			b.WriteString(", archived")
		}
	}
	return b.String()
}

// age is how long ago something was, in its largest unit.
func age(d time.Duration) string {
	d = d.Round(time.Minute) // ECR's clock has full seconds
	switch {
	case d >= 48*time.Hour:
		return count(int(d/(24*time.Hour)), "day")
	case d >= 2*time.Hour:
		return count(int(d/time.Hour), "hour")
	default:
		return count(max(int(d/time.Minute), 0), "minute")
	}
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// IncompleteError says that some repositories lack a revision.
type IncompleteError struct {
	Name string
	// Have are the repositories that have it, Missing those that lack it.
	Have, Missing []registry.Repository
	// Expiry is, for each missing repository, the effect of its lifecycle
	// policy on images tagged so: Stays where it cannot have taken one, Unknown
	// also where the policy could not be read.
	Expiry map[registry.Ref]lifecycle.Disposition
	// Days is the least age in days at which one of these policies expires such
	// an image, 0 where none does by age.
	Days int
}

// explain asks the policies whether the images may have expired. That it cannot
// is not worth an error of its own.
func (e *IncompleteError) explain(ctx context.Context, clients registry.Clients) {
	e.Expiry = map[registry.Ref]lifecycle.Disposition{}
	policies, err := registry.ReadPolicies(ctx, clients, e.Missing)
	pushed := time.Unix(0, 0)
	for _, repo := range e.Missing {
		if err != nil {
			e.Expiry[repo.Ref] = lifecycle.Unknown
			continue
		}
		at, verdict := policies[repo.Ref].Expiry(lifecycle.Image{Tags: []string{e.Name}, Pushed: pushed})
		e.Expiry[repo.Ref] = verdict
		if days := int(at.Sub(pushed) / (24 * time.Hour)); verdict == lifecycle.Expires && (e.Days == 0 || days < e.Days) {
			e.Days = days
		}
	}
}

// Error names the repositories of both kinds.
func (e *IncompleteError) Error() string {
	s := fmt.Sprintf("revision %s is not complete: %s it", e.Name, lackOf(e.Missing))
	if len(e.Have) > 0 {
		s += fmt.Sprintf(", and only %s %s it", repositoryNames(e.Have), verb(e.Have, "has", "have"))
	}
	return s
}

// Kind returns fault.Usage.
func (e *IncompleteError) Kind() fault.Kind { return fault.Usage }

// Cause says whether the images that are missing may have expired.
func (e *IncompleteError) Cause() string {
	if e.Days > 0 {
		return fmt.Sprintf("they may have expired: images expire there %s after their push", count(e.Days, "day"))
	}
	for _, disposition := range e.Expiry {
		if disposition != lifecycle.Stays {
			return "they may have expired"
		}
	}
	return "they have not expired: the revision was never complete, or images were deleted"
}

func lackOf(repos []registry.Repository) string {
	return repositoryNames(repos) + " " + verb(repos, "lacks", "lack")
}

func verb(repos []registry.Repository, one, many string) string {
	if len(repos) == 1 {
		return one
	}
	return many
}

func repositoryNames(repos []registry.Repository) string {
	names := make([]string, len(repos))
	for i, r := range repos {
		names[i] = r.Name
	}
	return strings.Join(names, ", ")
}

// ArchivedImage is an image that ECR keeps and does not hand out.
type ArchivedImage struct {
	Repository registry.Repository
	// Image is the tag or the digest.
	Image string
}

// ArchivedError says that images of a revision are in the archive, from where
// no task can pull them.
type ArchivedError struct {
	// Name is the revision's, empty where only its digests are known.
	Name   string
	Images []ArchivedImage
}

// Error names the images.
func (e *ArchivedError) Error() string {
	images := make([]string, len(e.Images))
	for i, a := range e.Images {
		images[i] = imageOf(a.Repository, a.Image)
	}
	s := "archived images cannot be pulled: " + strings.Join(images, ", ")
	if e.Name != "" {
		s = "revision " + e.Name + ": " + s
	}
	return s
}

// Kind returns fault.Usage.
func (e *ArchivedError) Kind() fault.Kind { return fault.Usage }

// Hint gives the command that restores each image.
func (e *ArchivedError) Hint() string {
	lines := []string{"restore what is archived, which takes ECR up to 20 minutes, and run again:"}
	for _, a := range e.Images {
		id := "imageTag=" + a.Image
		if manifests.IsDigest(a.Image) {
			id = "imageDigest=" + a.Image
		}
		command := append(a.Repository.Command("update-image-storage-class"), "--image-id "+id, "--target-storage-class STANDARD")
		lines = append(lines, "  "+strings.Join(command, " "))
	}
	return strings.Join(lines, "\n")
}

// GoneImage is an image that is in its repository no more.
type GoneImage struct {
	Repository registry.Repository
	Digest     string
}

// GoneError says that images were expired or deleted.
type GoneError struct{ Images []GoneImage }

// Error names the images.
func (e *GoneError) Error() string {
	images := make([]string, len(e.Images))
	for i, g := range e.Images {
		images[i] = imageOf(g.Repository, g.Digest)
	}
	return "no longer in the registry: " + strings.Join(images, ", ")
}

// Kind returns fault.Usage.
func (e *GoneError) Kind() fault.Kind { return fault.Usage }

// imageOf is an image as people write it.
func imageOf(repo registry.Repository, image string) string {
	if manifests.IsDigest(image) {
		return repo.Name + "@" + image
	}
	return repo.Name + ":" + image
}
