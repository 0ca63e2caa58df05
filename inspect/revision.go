// Package inspect reads all that is known of one revision, and compares two.
//
// It joins the records of revisions, the recorded inputs of their images, and
// the scans and signatures of ECR. A field that cannot be read is unknown: only
// the images themselves must be readable.
package inspect

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/lifecycle"
	"slipway/registry/record"
	"slipway/registry/revisions"
	"slipway/rollout/history"
)

// Revision is one revision with all that is known of it.
type Revision struct {
	history.Revision
	// Project is the name of the project, and Started when the build began; empty
	// without a record.
	Project string     `json:"project,omitempty"`
	Started *time.Time `json:"started,omitempty"`
	// Components are those of the record, then images that it does not name.
	Components []Component `json:"components"`

	// repositories is the number of repositories that were read, and at when.
	repositories int
	at           time.Time
}

// Component is the image of one service of a revision.
type Component struct {
	// Service is the service of the compose file; empty where no record names it.
	Service string `json:"service,omitempty"`
	// Repository is the URI of the repository, or its name where the project does
	// not have the repository anymore.
	Repository string `json:"repository"`
	Digest     string `json:"digest"`
	// Missing reports that the repository does not have the image, or is not one of
	// the project's, and Archived that the image cannot be pulled.
	Missing  bool `json:"missing,omitempty"`
	Archived bool `json:"archived,omitempty"`
	// Pushed is when the image was first pushed; null if it is missing.
	Pushed *time.Time `json:"pushed"`
	// Expires is when the image goes; null for never and for unknown.
	Expires *time.Time            `json:"expires"`
	Fate    lifecycle.Disposition `json:"fate"`
	Bytes   int64                 `json:"bytes"`
	// Details are unknown for an image that is missing or archived.
	Details

	repo registry.Repository
	// index reports that the image is an index.
	index bool
}

// reader reads the details of components, and notes what it may not read.
type reader struct {
	clients registry.Clients
	mu      sync.Mutex
	unread  map[string]error
}

// Read returns one revision with all that is known of it. Calls, besides those of
// history.Source.Describe: for each image one BatchGetImage, one
// ListImageReferrers, up to two GetDownloadUrlForLayer with a GET each and one
// DescribeImageSigningStatus; for each of its platforms one
// DescribeImageScanFindings.
func Read(ctx context.Context, host *project.Host, aws *awsclient.Clients, source *history.Source, r revisions.Revision) (Revision, error) {
	described, err := source.Describe(ctx, []revisions.Revision{r})
	if err != nil {
		return Revision{}, err
	}
	out := newRevision(described[0], r, source)
	read := &reader{clients: aws.Registries(), unread: map[string]error{}}
	read.each(ctx, pointers(out.Components), func(ctx context.Context, c *Component) {
		c.Details = read.details(ctx, c)
	})
	return out, read.end(ctx, host)
}

// newRevision returns a revision without the details of its images.
func newRevision(row history.Revision, r revisions.Revision, source *history.Source) Revision {
	out := Revision{Revision: row, Components: componentsOf(row.Record, r, source), repositories: len(source.Repositories()), at: source.Listing.At}
	if of := row.Record; of != nil {
		out.Project = of.Project
		if !of.Started.IsZero() {
			out.Started = &of.Started
		}
	}
	return out
}

// componentsOf returns the components of a record with their images, and then the
// images that the record does not name. With a record or without one, an image of
// the listing is the one that the revision's tag points to.
func componentsOf(of *record.Record, r revisions.Revision, source *history.Source) []Component {
	var out []Component
	repos := slices.Clone(source.Repositories())
	if of != nil {
		for _, recorded := range of.Components {
			c := Component{Service: recorded.Service, Repository: recorded.Repository, Digest: recorded.Digest, Missing: true, Fate: lifecycle.Unknown}
			if i := recordedIn(repos, r, recorded); i >= 0 {
				c.complete(repos[i], r, source)
				repos = slices.Delete(repos, i, i+1)
			}
			out = append(out, c)
		}
	}
	for _, repo := range repos {
		c := Component{Missing: true}
		if c.complete(repo, r, source); !c.Missing {
			out = append(out, c)
		}
	}
	return out
}

// recordedIn returns the index of the repository of a recorded component, -1 where it
// is not among them. Of several with its name, in other accounts or regions, it is the
// one that has its image.
func recordedIn(repos []registry.Repository, r revisions.Revision, recorded record.Component) int {
	i := slices.IndexFunc(repos, func(repo registry.Repository) bool {
		return repo.Name == recorded.Repository && r.Images[repo.Ref].Digest == recorded.Digest
	})
	if i >= 0 {
		return i
	}
	return slices.IndexFunc(repos, func(repo registry.Repository) bool { return repo.Name == recorded.Repository })
}

// complete adds what the listing says of the image in a repository.
func (c *Component) complete(repo registry.Repository, r revisions.Revision, source *history.Source) {
	c.repo, c.Repository = repo, repo.URI.Name()
	image, ok := r.Images[repo.Ref]
	if !ok {
		return
	}
	c.Digest, c.Missing, c.Archived, c.Bytes, c.Pushed = image.Digest, false, image.Archived, image.Size, &image.Pushed
	c.index = types.MediaType(image.MediaType).IsIndex()
	at, fate := image.Expiry(source.Policies[repo.Ref])
	if c.Fate = fate; !at.IsZero() {
		c.Expires = &at
	}
}

// detailsTime is how long the details of one image may take to be read.
const detailsTime = time.Minute

// each calls f for all components at once whose images can be read.
func (r *reader) each(ctx context.Context, components []*Component, f func(context.Context, *Component)) {
	var g errgroup.Group
	g.SetLimit(registry.MaxCalls)
	for _, c := range components {
		if !c.Missing && !c.Archived {
			g.Go(func() error {
				ctx, cancel := context.WithTimeout(ctx, detailsTime)
				defer cancel()
				f(ctx, c)
				return nil
			})
		}
	}
	_ = g.Wait() // no function returns an error
}

func pointers(components []Component) []*Component {
	out := make([]*Component, len(components))
	for i := range components {
		out[i] = &components[i]
	}
	return out
}

// note keeps the first error of each kind, and reports whether there is one.
func (r *reader) note(what string, err error) bool {
	if err == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unread[what] == nil {
		r.unread[what] = err
	}
	return true
}

// end warns of what could not be read, unless the command was interrupted: it
// returns the error of the context.
func (r *reader) end(ctx context.Context, host *project.Host) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, what := range []string{platformsOf, inputsOf, scansOf, signaturesOf} {
		if err := r.unread[what]; err != nil {
			host.WarnError(err, fmt.Sprintf("the %s are not known: %v", what, err))
		}
	}
	return nil
}

// The kinds of details, for warnings.
const (
	platformsOf  = "platforms"
	inputsOf     = "inputs"
	scansOf      = "scans"
	signaturesOf = "signatures"
)
