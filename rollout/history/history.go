// Package history lists the revisions in the repositories of a project, with
// what their records say.
package history

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"slipway/internal/awsclient"
	"slipway/internal/phrase"
	"slipway/internal/plain"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/lifecycle"
	"slipway/registry/record"
	"slipway/registry/revisions"
	"slipway/rollout"
	"slipway/rollout/status"
)

// Revision is one element of the array that `revisions --output json` prints.
type Revision struct {
	Revision string `json:"revision"`
	// Made is when the revision was made, and Pushed when the newest of its images
	// was first pushed.
	Made     time.Time `json:"made"`
	Pushed   time.Time `json:"pushed"`
	Complete bool      `json:"complete"`
	// Commit, Committed, Source, Builder, Version and Engine come from the record;
	// empty for a revision without one.
	Commit    string     `json:"commit,omitempty"`
	Committed *time.Time `json:"committed,omitempty"`
	Source    string     `json:"source,omitempty"`
	Builder   string     `json:"builder,omitempty"`
	Version   string     `json:"slipway,omitempty"`
	Engine    string     `json:"engine,omitempty"`
	// Missing and Archived are repositories.
	Missing  []string `json:"missing,omitempty"`
	Archived []string `json:"archived,omitempty"`
	// Expires is when the first of its images goes; null for never and for unknown.
	Expires *time.Time `json:"expires"`
	// Fate is stays, expires, archives or unknown.
	Fate     lifecycle.Disposition `json:"fate"`
	Latest   bool                  `json:"latest"`
	Deployed bool                  `json:"deployed"`
	// Services are the protecting tags of ECS services.
	Services []string `json:"services,omitempty"`
	// Untrusted reports that an untrusted build made it: it cannot be rolled back to.
	Untrusted bool    `json:"untrusted,omitempty"`
	Bytes     int64   `json:"bytes"`
	Images    []Image `json:"images"`
	// Record is the record of the revision, nil where it has none that can be read.
	Record *record.Record `json:"-"`
}

// Image is an image of a revision.
type Image struct {
	Repository string `json:"repository"`
	Digest     string `json:"digest"`
}

// List is the revisions of some repositories, the newest first.
type List struct {
	Revisions []Revision
	// Incomplete is the number of revisions that were left out.
	Incomplete int
	// Repositories is the number of repositories, and At when they were read.
	Repositories int
	At           time.Time
}

// Source is the repositories of some services as they were read.
type Source struct {
	// Listing has the images, and Policies the lifecycle policies, if they were read.
	Listing  *revisions.Listing
	Policies map[registry.Ref]lifecycle.Policy

	host     *project.Host
	aws      *awsclient.Clients
	services *rollout.Services
}

// Open reads the repositories of services, and if asked, their policies. Calls: one
// DescribeImages for each thousand images and one GetLifecyclePolicy for each
// repository.
func Open(ctx context.Context, host *project.Host, aws *awsclient.Clients, s *rollout.Services, policies bool) (*Source, error) {
	out := &Source{host: host, aws: aws, services: s}
	var err error
	if policies {
		out.Listing, out.Policies, err = status.ListImages(ctx, host, aws, s.Repositories)
	} else {
		out.Listing, err = revisions.List(ctx, aws.Registries(), s.Repositories)
	}
	return out, err
}

// Repositories are those that were read, in order of name.
func (s *Source) Repositories() []registry.Repository { return s.services.Repositories }

// List returns the revisions: the complete ones, or all. Calls: those of Describe.
func (s *Source) List(ctx context.Context, all bool) (List, error) {
	out := List{Repositories: len(s.services.Repositories), At: s.Listing.At}
	found := s.Listing.Revisions(s.services.IsExtraTag)
	if !all {
		complete := slices.DeleteFunc(slices.Clone(found), func(r revisions.Revision) bool { return !r.Complete() })
		out.Incomplete = len(found) - len(complete)
		found = complete
	}
	var err error
	out.Revisions, err = s.Describe(ctx, found)
	return out, err
}

// Find returns the revision that text names: in full, or by a prefix as a rollback
// takes it. Errors are those of revisions.CheckName and revisions.Listing.Match.
func (s *Source) Find(text string) (revisions.Revision, error) {
	all := s.Listing.Revisions(s.services.IsExtraTag)
	named := func(name string) int {
		return slices.IndexFunc(all, func(r revisions.Revision) bool { return r.Name == name })
	}
	if i := named(text); i >= 0 {
		return all[i], nil
	}
	if err := revisions.CheckName(text, s.services.Repositories, s.services.IsExtraTag); err != nil {
		return revisions.Revision{}, err
	}
	name, err := s.Listing.Match(text, s.services.IsExtraTag)
	if err != nil {
		return revisions.Revision{}, err
	}
	s.host.Infof("%s is short for %s", text, name)
	return all[named(name)], nil
}

// Describe returns what the listing, the policies and the records say of
// revisions. Calls: one BatchGetImage for each hundred records. Without
// permission for it, records count as missing.
func (s *Source) Describe(ctx context.Context, found []revisions.Revision) ([]Revision, error) {
	records, err := revisions.ReadRecords(ctx, s.aws.Registries(), found)
	if awsclient.Denied(err) {
		s.host.Warnf("commits and builders are not known: %v", err)
		err = nil
	}
	if err != nil {
		return nil, err
	}
	out := make([]Revision, 0, len(found))
	for _, r := range found {
		row := newRevision(r, s.services.Repositories, s.Policies)
		if of, ok := records[r.Name]; ok {
			row.describe(of)
		}
		out = append(out, row)
	}
	return out, nil
}

func newRevision(r revisions.Revision, repos []registry.Repository, fates map[registry.Ref]lifecycle.Policy) Revision {
	row := Revision{
		Revision: r.Name, Made: r.Made, Pushed: r.Pushed, Complete: r.Complete(), Latest: r.Latest, Deployed: r.Deployed,
		Untrusted: r.Untrusted(), Services: r.Services(), Bytes: r.Size, Images: []Image{},
	}
	at, fate := r.Expiry(fates)
	row.Fate = fate
	if !at.IsZero() {
		row.Expires = &at
	}
	for _, repo := range repos {
		if image, ok := r.Images[repo.Ref]; ok {
			row.Images = append(row.Images, Image{repo.URI.Name(), image.Digest})
		}
	}
	for _, repo := range r.Missing {
		row.Missing = append(row.Missing, repo.Name)
	}
	for _, repo := range r.Archived {
		row.Archived = append(row.Archived, repo.Name)
	}
	return row
}

// describe adds what the record of a revision says.
func (r *Revision) describe(of record.Record) {
	r.Record = &of
	r.Commit, r.Source, r.Builder, r.Version, r.Engine = of.Commit, of.Source, of.Builder, of.Version, of.Engine
	if !of.Committed.IsZero() {
		r.Committed = &of.Committed
	}
}

// Completeness says in how many of the repositories the revision is, and where it
// is not.
func (r Revision) Completeness(repositories int) string {
	s := fmt.Sprintf("%d of %d", len(r.Images), repositories)
	if len(r.Missing) > 0 {
		s += ", not in " + strings.Join(r.Missing, ", ")
	}
	if len(r.Archived) > 0 {
		s += ", archived in " + strings.Join(r.Archived, ", ")
	}
	return s
}

// Print writes the revisions as a table.
func (l List) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "REVISION\tAGE\tCOMPLETE\tEXPIRES\tSIZE\tTAGS\tCOMMIT\tBUILDER")
	for _, r := range l.Revisions {
		plain.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Revision, phrase.Ago(l.At, r.Made), r.Completeness(l.Repositories),
			status.ExpiryText(r.Fate, r.Expires, l.At), phrase.ByteCount(&r.Bytes), cmp.Or(r.Tags(), "-"), cmp.Or(short(r.Commit), "-"), cmp.Or(r.Builder, "-"))
	}
	return t.Flush()
}

// Tags names the tags that point to the revision, and marks an untrusted one.
func (r Revision) Tags() string {
	var tags []string
	if r.Latest {
		tags = append(tags, registry.TagLatest)
	}
	if r.Deployed {
		tags = append(tags, registry.TagPrevious)
	}
	tags = append(tags, r.Services...)
	if r.Untrusted {
		tags = append(tags, "(untrusted)")
	}
	return strings.Join(tags, ", ")
}

// short returns a commit id as people write it.
func short(id string) string { return id[:min(len(id), 12)] }
