package revisions

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"golang.org/x/sync/errgroup"

	"slipway/internal/tagname"
	"slipway/registry"
)

// ExtraTags are the extra tags of one repository: those that a build gives its
// image next to the revision's name.
type ExtraTags struct {
	Repository registry.Repository
	Tags       []string
	// Moves reports that the build moves the tags, to an image that is not
	// known yet.
	Moves bool
	// Digest is the image that the build gives the tags, where that is known
	// already.
	Digest string
	// Kept reports that the build puts none of the tags. They are then not
	// looked at so closely that ecr:DescribeImages is needed.
	Kept bool
}

// ExtraError is an extra tag that exists and must not be moved.
type ExtraError struct {
	Repository registry.Repository
	Tag        string
	// Digest is the image that it points to.
	Digest string
	// Reason completes a sentence that begins with the tag.
	Reason string
}

// Error names the tag, the repository and the image.
func (e *ExtraError) Error() string {
	return fmt.Sprintf("tag %q of %s points to %s and %s", e.Tag, e.Repository.Name, e.Digest, e.Reason)
}

// Hint returns the command that lets the tag move, where the repository keeps
// it from moving.
func (e *ExtraError) Hint() string {
	if e.Reason == extraStuck {
		stuck := registry.ImmovableError{Repository: e.Repository, Tags: []string{e.Tag}}
		return "choose another tag, or let this one move:\n  " + stuck.Remedy()
	}
	return ""
}

// The reasons.
const (
	extraRevision = "is the name of a revision, which never changes"
	extraForeign  = "was not pushed by slipway"
	extraStuck    = "cannot move: the repository lets only the tags move that it excludes"
)

// CheckExtra finds the extra tags that exist and that a build must not move. A
// tag moves from build to build if Slipway put it: it points to an image that
// Slipway made (which has the manifest annotation) and that has the name of a
// revision too; it looks like no commit id; it exists in no repository that
// does not list it; and where several have it, their images are one revision's.
// A tag that points to an image of the names is this build's own work. Each
// error is an *ExtraError; other errors are of ECR.
//
// A revision that was named by hand, and whose images all have a further tag,
// such as the name of another revision, cannot be known from a tag that moves.
//
// A tag that may move and has to, in a repository that does not let it, is an
// error too.
//
// It takes one BatchGetImage for each repository, and one DescribeImages for
// each tag that exists; none where there are no extra tags.
func CheckExtra(ctx context.Context, clients registry.Clients, extras []ExtraTags, names []string, annotation string) ([]*ExtraError, error) {
	var (
		all  []registry.Repository
		tags []string
		ids  = map[registry.Ref][]string{}
	)
	for _, e := range extras {
		all = append(all, e.Repository)
		tags = append(tags, e.Tags...)
	}
	if len(tags) == 0 {
		return nil, nil
	}
	for _, repo := range all {
		ids[repo.Ref] = append(slices.Clone(tags), names...)
	}
	snapshot, _, err := readAll(ctx, clients, all, nil, ids)
	if err != nil {
		return nil, err
	}
	c := extraCheck{snapshot: snapshot, extras: extras, names: names, annotation: annotation, others: map[string][][]string{}}
	return c.run(ctx, clients)
}

// extraCheck is one run of CheckExtra.
type extraCheck struct {
	snapshot   *Snapshot
	extras     []ExtraTags
	names      []string
	annotation string
	// others are, for each tag and each repository that has it, the further
	// names of its image.
	others map[string][][]string
}

func (c *extraCheck) run(ctx context.Context, clients registry.Clients) ([]*ExtraError, error) {
	found := c.existing()
	states := make([]imageState, len(found))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(registry.MaxCalls)
	for i, f := range found {
		if c.of(f.Repository.Ref).Kept {
			continue
		}
		g.Go(func() (err error) {
			states[i], err = describeImage(ctx, clients(f.Repository.Region), f.Repository, types.ImageIdentifier{ImageTag: aws.String(f.Tag)})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, f := range found {
		c.others[f.Tag] = append(c.others[f.Tag], c.revisions(f.Repository.Ref, states[i].tags))
	}
	return slices.DeleteFunc(found, func(f *ExtraError) bool {
		f.Reason = c.reason(f)
		return f.Reason == ""
	}), nil
}

// existing are the extra tags that point to an image, but for this build's own
// work.
func (c *extraCheck) existing() []*ExtraError {
	var out []*ExtraError
	for _, e := range c.extras {
		for _, tag := range e.Tags {
			if at := c.snapshot.digestOf(e.Repository.Ref, tag); at != "" && !c.isOwn(e.Repository.Ref, at) {
				out = append(out, &ExtraError{Repository: e.Repository, Tag: tag, Digest: at})
			}
		}
	}
	return out
}

// reason is why a tag that exists must not be moved, empty if it may.
func (c *extraCheck) reason(f *ExtraError) string {
	image, readable := c.snapshot.ByDigest(f.Repository.Ref, f.Digest)
	switch {
	case looksLikeHash(f.Tag) || c.elsewhere(f.Tag):
		return extraRevision
	case readable && image.Annotation(c.annotation) == "":
		return extraForeign
	case c.of(f.Repository.Ref).Kept:
		return ""
	case !c.aliases(f.Tag):
		return extraRevision
	case c.of(f.Repository.Ref).Moves && c.of(f.Repository.Ref).Digest != f.Digest && f.Repository.CheckMovable([]string{f.Tag}) != nil:
		return extraStuck
	}
	return ""
}

// of are the extra tags of a repository.
func (c *extraCheck) of(ref registry.Ref) ExtraTags {
	return c.extras[slices.IndexFunc(c.extras, func(e ExtraTags) bool { return e.Repository.Ref == ref })]
}

// isOwn reports whether an image has one of the names of this build already.
func (c *extraCheck) isOwn(ref registry.Ref, digest string) bool {
	return slices.ContainsFunc(c.names, func(name string) bool { return c.snapshot.digestOf(ref, name) == digest })
}

// elsewhere reports whether a repository has a tag that is not one of its extra
// tags.
func (c *extraCheck) elsewhere(tag string) bool {
	return slices.ContainsFunc(c.extras, func(e ExtraTags) bool {
		return c.snapshot.digestOf(e.Repository.Ref, tag) != "" && !slices.Contains(e.Tags, tag)
	})
}

// revisions are the tags of an image without the extra tags of its repository.
func (c *extraCheck) revisions(ref registry.Ref, tags []string) []string {
	return slices.DeleteFunc(slices.Clone(tags), func(tag string) bool {
		return slices.ContainsFunc(c.extras, func(e ExtraTags) bool { return e.Repository.Ref == ref && slices.Contains(e.Tags, tag) })
	})
}

// aliases reports whether the images of a tag have the name of one revision as
// well.
func (c *extraCheck) aliases(tag string) bool {
	images := c.others[tag]
	return slices.ContainsFunc(images[0], func(name string) bool {
		return !slices.ContainsFunc(images, func(names []string) bool { return !slices.Contains(names, name) })
	})
}

// hashLike matches commit ids, as git abbreviates them, and the names that
// Slipway derives from them.
var hashLike = regexp.MustCompile(`^[0-9a-f]{7,64}(-dirty-[0-9a-f]{8})?(\.[0-9]+)?$`)

// looksLikeHash reports whether a tag looks like the name that a build gets
// from its source. Digits alone are a date or a number, unless they are as many
// as a commit id has.
func looksLikeHash(tag string) bool {
	if !hashLike.MatchString(tag) {
		return false
	}
	id, _, _ := strings.Cut(tag, "-")
	id, _, _ = strings.Cut(id, ".")
	_, err := strconv.ParseUint(id, 10, 64)
	return err != nil || len(id) == 12 || len(id) == 40 || len(id) == 64
}

// IsReserved reports whether a tag is Slipway's own: a protected tag, one of a
// layer cache, or one of those that tagname.Kept knows.
func IsReserved(tag string) bool {
	return registry.IsProtected(tag) || strings.HasPrefix(tag, registry.TagCache) || tagname.Kept(tag)
}
