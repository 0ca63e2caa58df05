package inspect

import (
	"context"
	"slices"
	"strings"
	"time"

	"slipway/internal/awsclient"
	"slipway/project"
	"slipway/registry/revisions"
	"slipway/rollout/history"
)

// State says how the image of a service differs between two revisions.
type State string

// The states.
const (
	Same    State = "same"
	Changed State = "changed"
	// Removed is in the first revision alone, and Added in the second one.
	Removed State = "removed"
	Added   State = "added"
)

// Diff is the difference between two revisions.
type Diff struct {
	From Side `json:"from"`
	To   Side `json:"to"`
	// Equal reports that both revisions have the same images.
	Equal      bool         `json:"equal"`
	Components []Difference `json:"components"`

	at time.Time
}

// Side is one of the two revisions.
type Side struct {
	Revision string `json:"revision"`
	// Made is when the revision was made. The other fields come from its record, and
	// are empty without one.
	Made      time.Time  `json:"made"`
	Commit    string     `json:"commit,omitempty"`
	Committed *time.Time `json:"committed,omitempty"`
	Builder   string     `json:"builder,omitempty"`
}

// Difference is one service in two revisions.
type Difference struct {
	// Service is empty where no record names it.
	Service string `json:"service,omitempty"`
	// Repository is the URI of the repository, or its name where the project does
	// not have the repository anymore.
	Repository string `json:"repository"`
	State      State  `json:"state"`
	// From and To are the digests; empty where the revision does not have the service.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Changed are the inputs that differ, in words; null where they are not known,
	// and empty where the image was built again from the same inputs.
	Changed []string `json:"changed"`
	// Unknown is why the inputs are not known.
	Unknown string `json:"unknown,omitempty"`

	name string
}

// Compare returns the difference between two revisions. Calls, besides those of
// history.Source.Describe: for both images of each service that differs one
// ListImageReferrers, and one GetDownloadUrlForLayer with a GET.
func Compare(ctx context.Context, host *project.Host, aws *awsclient.Clients, source *history.Source, from, to revisions.Revision) (Diff, error) {
	rows, err := source.Describe(ctx, []revisions.Revision{from, to})
	if err != nil {
		return Diff{}, err
	}
	a, b := newRevision(rows[0], from, source), newRevision(rows[1], to, source)
	out := Diff{From: newSide(a), To: newSide(b), Equal: true, Components: []Difference{}, at: a.at}
	pairs := pair(a.Components, b.Components)
	read := &reader{clients: aws.Registries(), unread: map[string]error{}}
	for side := range 2 {
		read.each(ctx, differing(pairs, side), func(ctx context.Context, c *Component) { c.inputs = read.inputs(ctx, c) })
	}
	if err := read.end(ctx, host); err != nil {
		return Diff{}, err
	}
	for _, p := range pairs {
		d := p.difference(from.Name, to.Name)
		out.Equal = out.Equal && d.State == Same
		out.Components = append(out.Components, d)
	}
	return out, nil
}

func newSide(r Revision) Side {
	return Side{Revision: r.Revision.Revision, Made: r.Made, Commit: r.Commit, Committed: r.Committed, Builder: r.Builder}
}

// twin is one service in two revisions, nil where a revision does not have it.
type twin [2]*Component

// pair returns the services of two revisions by their repositories: those of the
// second revision, and then those of the first one alone.
func pair(a, b []Component) []twin {
	var out []twin
	for i := range b {
		out = append(out, twin{find(a, b[i].Repository), &b[i]})
	}
	for i := range a {
		if find(b, a[i].Repository) == nil {
			out = append(out, twin{&a[i], nil})
		}
	}
	return out
}

func find(components []Component, repository string) *Component {
	i := slices.IndexFunc(components, func(c Component) bool { return c.Repository == repository })
	if i < 0 {
		return nil
	}
	return &components[i]
}

// differing returns one side of the services that are in both revisions, with other
// images.
func differing(pairs []twin, side int) []*Component {
	var out []*Component
	for _, p := range pairs {
		if p.state() == Changed {
			out = append(out, p[side])
		}
	}
	return out
}

func (p twin) state() State {
	switch {
	case p[0] == nil:
		return Added
	case p[1] == nil:
		return Removed
	case p[0].Digest == p[1].Digest:
		return Same
	default:
		return Changed
	}
}

// difference returns the difference of a service between revisions of two names.
func (p twin) difference(from, to string) Difference {
	d := Difference{State: p.state()}
	for _, c := range p {
		if c != nil {
			d.Service, d.Repository, d.name = c.Service, c.Repository, c.name()
		}
	}
	if p[0] != nil {
		d.From = p[0].Digest
	}
	if p[1] != nil {
		d.To = p[1].Digest
	}
	if d.State != Changed {
		return d
	}
	var unknown []string
	for i, name := range []string{from, to} {
		if p[i].inputs == nil {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		d.Unknown = "the inputs of " + strings.Join(unknown, " and ") + " are not known"
		return d
	}
	d.Changed = append([]string{}, p[1].inputs.Changes(p[0].inputs)...)
	return d
}
