package revisions

import (
	"context"
	"errors"
	"slices"
	"strings"

	"slipway/registry"
)

// Found is a revision that can be promoted.
type Found struct {
	// Name is the revision's full name, empty where its digests have none in
	// common.
	Name string
	// Images are its images, in the order of the repositories.
	Images []RevisionImage
	// Snapshot are the tags as they were read, for Promotion.Snapshot.
	Snapshot *Snapshot
}

// Find finds the one revision that text names, in full or by a prefix that no
// other complete one begins with, and surveys the repositories for Promote: latest,
// deployed, the revision, and what extra names, which should be the digests
// that ECS runs. Where a hash and its variants (hash.2, hash.3) begin alike, it
// is the hash. Tags for which skip is true, such as the extra tags of a build,
// name no revision; skip may be nil. It writes nothing.
//
// Errors: *NameError for text that can name none, *UnknownError,
// *AmbiguousError, *IncompleteError, *ArchivedError for images of the revision;
// another archived image does not matter.
//
// Calls for each repository: one BatchGetImage for a full name; for a prefix,
// two and one DescribeImages for each thousand images. An error takes a few
// more, to say why, and a latest or deployed on an archived image one
// DescribeImages.
func Find(ctx context.Context, clients registry.Clients, repos []registry.Repository, text string, extra map[registry.Ref][]string, skip func(registry.Ref, string) bool) (Found, error) {
	if err := CheckName(text, repos, skip); err != nil {
		return Found{}, err
	}
	repos, name := registry.DistinctRepositories(repos), text
	found, err := lookup(ctx, clients, repos, name, extra)
	if err != nil {
		return Found{}, err
	}
	if len(found.missing) == len(repos) {
		listing, err := List(ctx, clients, repos)
		if err != nil {
			return Found{}, err
		}
		if name, err = listing.Match(text, skip); err != nil {
			return Found{}, err
		}
		if found, err = lookup(ctx, clients, repos, name, extra); err != nil {
			return Found{}, err
		}
	}
	if err := found.check(ctx, clients, name); err != nil {
		return Found{}, err
	}
	out := Found{Name: name, Snapshot: found.snapshot}
	for _, repo := range repos {
		at, _ := found.snapshot.ByTag(repo.Ref, name)
		out.Images = append(out.Images, RevisionImage{Repository: repo, Digest: at.Digest, skip: skip})
	}
	return out, nil
}

// CheckName returns a *NameError for text that can name no revision.
func CheckName(text string, repos []registry.Repository, skip func(registry.Ref, string) bool) error {
	if registry.IsProtected(text) {
		return &NameError{Text: text, Err: errProtected}
	}
	if !registry.IsRevisionName(text) {
		return &NameError{Text: text, Err: errInputs}
	}
	if err := registry.ValidateTag(text); err != nil {
		return &NameError{Text: text, Err: err}
	}
	if IsUntrusted(text) {
		return &NameError{Text: text, Err: ErrUntrusted}
	}
	if skip != nil && slices.ContainsFunc(repos, func(r registry.Repository) bool { return skip(r.Ref, text) }) {
		return &NameError{Text: text, Err: errExtra}
	}
	return nil
}

// lookupResult is where a revision was looked for.
type lookupResult struct {
	snapshot *Snapshot
	// have, missing and archived part the repositories.
	have, missing []registry.Repository
	archived      []ArchivedImage
}

// lookup looks for a revision's name in each repository.
func lookup(ctx context.Context, clients registry.Clients, repos []registry.Repository, name string, extra map[registry.Ref][]string) (lookupResult, error) {
	snapshot, unread, err := readAll(ctx, clients, repos, []string{name}, extra)
	if err != nil {
		return lookupResult{}, err
	}
	out := lookupResult{snapshot: snapshot}
	archived := map[registry.Ref]bool{}
	for _, u := range unread {
		if u.Image == name {
			archived[u.Repository.Ref] = true
			out.archived = append(out.archived, ArchivedImage{Repository: u.Repository, Image: name})
		}
	}
	for _, repo := range repos {
		_, ok := snapshot.ByTag(repo.Ref, name)
		switch {
		case ok:
			out.have = append(out.have, repo)
		case !archived[repo.Ref]:
			out.missing = append(out.missing, repo)
		}
	}
	return out, nil
}

// check says what keeps a revision from being rolled back to.
func (s lookupResult) check(ctx context.Context, clients registry.Clients, name string) error {
	switch {
	case len(s.missing) > 0:
		e := &IncompleteError{Name: name, Have: s.have, Missing: s.missing}
		for _, a := range s.archived {
			e.Have = append(e.Have, a.Repository)
		}
		e.explain(ctx, clients)
		return e
	case len(s.archived) > 0:
		return &ArchivedError{Name: name, Images: s.archived}
	}
	return nil
}

// Match returns the name of the one revision that begins with a prefix, among those
// that can be rolled back to, and among all only if none of these does.
func (l *Listing) Match(prefix string, skip func(registry.Ref, string) bool) (string, error) {
	var matches, ready []Revision
	for _, r := range l.Revisions(skip) {
		if r.Untrusted() {
			continue
		}
		if strings.HasPrefix(r.Name, prefix) && !strings.HasPrefix(r.Name, prefix+".") {
			matches = append(matches, r)
		}
		if r.Ready() {
			ready = append(ready, r)
		}
	}
	if len(matches) == 0 {
		return "", &UnknownError{Text: prefix, Newest: ready[:min(len(ready), shownRevisions)], At: l.At}
	}
	usable := slices.DeleteFunc(slices.Clone(matches), func(r Revision) bool { return !r.Ready() })
	if len(usable) > 0 {
		matches = usable
	}
	for _, hash := range matches {
		others := slices.ContainsFunc(matches, func(r Revision) bool {
			return r.Name != hash.Name && !strings.HasPrefix(r.Name, hash.Name+".")
		})
		if !others {
			return hash.Name, nil
		}
	}
	return "", &AmbiguousError{Text: prefix, Matches: matches, At: l.At}
}

// What makes a tag no name of a revision.
var (
	errInputs    = errors.New("the tag names the inputs of an image")
	errProtected = errors.New("the tag moves from revision to revision")
	errExtra     = errors.New("the compose file gives this tag to every revision (build.tags)")
)
