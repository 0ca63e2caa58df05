// Package summary is the result of a build as it is printed: one row for each
// service.
package summary

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"slipway/build"
	"slipway/internal/phrase"
	"slipway/internal/plain"
	"slipway/project"
	"slipway/registry"
)

// Service is one element of the array that `build --output json` prints.
type Service struct {
	Service    string `json:"service"`
	Container  string `json:"container"`
	Repository string `json:"repository"` // host/name
	Tag        string `json:"tag"`        // the revision's name
	Digest     string `json:"digest"`
	// State is new; same (built, with the digest that latest pointed to); unchanged
	// (an image from the same inputs was there, and nothing was built); or reused (the
	// service was not to be built, and latest's image stands for it).
	State string `json:"state"`
	// BytesPushed counts the layers and configurations that were new to the repository
	// (see revisions.Snapshot.NewBytes); null where that cannot be told.
	BytesPushed *int64  `json:"bytesPushed"`
	Seconds     float64 `json:"seconds"`
	// Untrusted is why the build is untrusted, as a phrase; left out for a trusted one.
	Untrusted string `json:"untrusted,omitempty"`
}

// Services returns the services of a release, by name.
func Services(r *build.Release, p *project.Plan) []Service {
	var rows []Service
	for _, c := range r.Components {
		rows = append(rows, rowsOf(r, c, p)...)
	}
	slices.SortStableFunc(rows, func(a, b Service) int { return strings.Compare(a.Service, b.Service) })
	return rows
}

// rowsOf returns the rows of a component: one for each container, of which the first
// has the bytes and the time of the build.
func rowsOf(r *build.Release, c *build.Component, p *project.Plan) []Service {
	row := Service{
		Service: c.Target.Service, Repository: c.Repository.URI.Name(), Tag: r.Published.Name, Digest: c.Digest,
		State: stateOf(r, c), BytesPushed: r.Before.NewBytes(r.Published, c.Image(false)),
		Seconds: float64(c.Result.Duration.Milliseconds()) / 1000, Untrusted: p.Untrusted.Why,
	}
	if len(c.Containers) == 0 {
		return []Service{row}
	}
	var rows []Service
	for i, x := range c.Containers {
		if row.Service, row.Container = x.Service, x.Name; i > 0 {
			row.BytesPushed, row.Seconds = new(int64), 0
		}
		rows = append(rows, row)
	}
	return rows
}

// stateOf returns what became of a component: Service.State.
func stateOf(r *build.Release, c *build.Component) string {
	latest, ok := r.Before.ByTag(c.Repository.Ref, registry.TagLatest)
	switch {
	case !c.Build:
		return "reused"
	case c.Unchanged:
		return "unchanged"
	case ok && latest.Digest == c.Digest:
		return "same"
	default:
		return "new"
	}
}

// PrintLines writes a line for each service: its name, repository:tag and digest.
func PrintLines(w io.Writer, rows []Service) error {
	for _, r := range rows {
		if _, err := plain.Fprintf(w, "%s  %s:%s  %s\n", r.Service, r.Repository, r.Tag, r.Digest); err != nil {
			return err
		}
	}
	return nil
}

// PrintTable writes the services with what the build of each has cost.
func PrintTable(w io.Writer, rows []Service) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nSERVICE\tDIGEST\tSTATE\tPUSHED\tSECONDS")
	for _, r := range rows {
		plain.Fprintf(t, "%s\t%s\t%s\t%s\t%.1f\n", r.Service, phrase.ShortDigest(r.Digest), r.State, phrase.ByteCount(r.BytesPushed), r.Seconds)
	}
	// What cannot be written to stderr cannot be reported there either.
	_ = t.Flush()
	fmt.Fprintln(w)
}
