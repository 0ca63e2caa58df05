package inspect

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"slipway/internal/phrase"
	"slipway/internal/plain"
	"slipway/registry/admission"
	"slipway/rollout/status"
)

// Print writes the revision: a line for each field, then its components.
func (r Revision) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	field := func(name, value string) { plain.Fprintf(t, "%s\t%s\n", name, cmp.Or(value, admission.StatusUnknown)) }
	field("revision", r.Revision.Revision)
	field("project", r.Project)
	field("commit", r.Commit)
	field("committed", stamp(r.Committed))
	field("made", stamp(&r.Made)+", "+phrase.Ago(r.at, r.Made)+" ago")
	field("builder", r.Builder)
	field("slipway", r.Version)
	field("engine", r.engine())
	field("source", r.Source)
	field("complete", r.Completeness(r.repositories))
	field("tags", cmp.Or(r.Tags(), "none"))
	field("expires", status.ExpiryText(r.Fate, r.Expires, r.at))
	field("size", phrase.ByteCount(&r.Bytes))
	if err := t.Flush(); err != nil {
		return err
	}
	for _, c := range r.Components {
		if err := c.print(w, r.at); err != nil {
			return err
		}
	}
	return nil
}

// engine returns the engine that built, "none" where a record says that nothing was
// built.
func (r Revision) engine() string {
	if r.Record != nil && r.Engine == "" {
		return "none"
	}
	return r.Engine
}

func (c Component) print(w io.Writer, at time.Time) error {
	plain.Fprintf(w, "\n%s  %s@%s\n", c.name(), c.Repository, c.Digest)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	field := func(name, value string) { plain.Fprintf(t, "  %s\t%s\n", name, value) }
	switch {
	case c.Missing:
		field("missing", "the repository does not have the image anymore, or is not the project's")
		return t.Flush()
	case c.Archived:
		field("archived", "yes")
	}
	field("platforms", c.platforms())
	field("base images", c.baseImages())
	field("scan", c.scan())
	field("signature", c.signature())
	field("expires", status.ExpiryText(c.Fate, c.Expires, at))
	field("size", phrase.ByteCount(&c.Bytes))
	return t.Flush()
}

// name is the service, or the repository where no record names the service.
func (c Component) name() string {
	if c.Service != "" {
		return c.Service
	}
	return cmp.Or(c.repo.Name, c.Repository)
}

func (d Details) platforms() string {
	var out []string
	for _, p := range d.Platforms {
		out = append(out, cmp.Or(p.Platform, admission.StatusUnknown))
	}
	return cmp.Or(strings.Join(out, ", "), admission.StatusUnknown)
}

func (d Details) baseImages() string {
	if d.BaseImages == nil {
		return admission.StatusUnknown
	}
	var out []string
	for _, image := range d.BaseImages {
		out = append(out, image.String())
	}
	return cmp.Or(strings.Join(out, ", "), "none")
}

// scan returns the state of the scan, for an index that of each platform.
func (d Details) scan() string {
	var out []string
	for _, p := range d.Platforms {
		text := p.Scan.String()
		if len(d.Platforms) > 1 {
			text = p.Platform + " " + text
		}
		out = append(out, text)
	}
	return cmp.Or(strings.Join(out, "; "), admission.StatusUnknown)
}

func (d Details) signature() string {
	if d.Signatures == nil {
		return admission.StatusUnknown
	}
	if len(d.Signatures) == 1 {
		return d.Signatures[0].String()
	}
	var out []string
	for _, s := range d.Signatures {
		out = append(out, s.Profile+" "+s.String())
	}
	return cmp.Or(strings.Join(out, "; "), "none")
}

// stamp returns a time in RFC 3339, empty for none.
func stamp(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// Print writes the two revisions, then each service and the inputs that changed.
func (d Diff) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range []Side{d.From, d.To} {
		plain.Fprintf(t, "%s\tmade %s ago\tcommit %s\t%s\n", s.Revision, phrase.Ago(d.at, s.Made),
			cmp.Or(shortCommit(s.Commit), admission.StatusUnknown), cmp.Or(s.Builder, admission.StatusUnknown))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	width := 0
	for _, c := range d.Components {
		width = max(width, len(c.name))
	}
	for _, c := range d.Components {
		plain.Fprintf(w, "%-*s  %s\n", width, c.name, c.words(d))
		for _, input := range c.inputs() {
			plain.Fprintf(w, "  %s\n", input)
		}
	}
	return nil
}

// words says how a service differs.
func (c Difference) words(d Diff) string {
	switch c.State {
	case Added:
		return "only in " + d.To.Revision + "  " + phrase.ShortDigest(c.To)
	case Removed:
		return "only in " + d.From.Revision + "  " + phrase.ShortDigest(c.From)
	case Changed:
		return "changed  " + phrase.ShortDigest(c.From) + " → " + phrase.ShortDigest(c.To)
	default:
		return string(c.State)
	}
}

// shownInputs is how many inputs of a service are printed.
const shownInputs = 50

// inputs are the lines for the inputs of a service that differs.
func (c Difference) inputs() []string {
	switch {
	case c.State != Changed:
		return nil
	case c.Unknown != "":
		return []string{c.Unknown}
	case len(c.Changed) == 0:
		return []string{"built again from the same inputs"}
	case len(c.Changed) > shownInputs+1:
		return append(slices.Clone(c.Changed[:shownInputs]), fmt.Sprintf("and %d more", len(c.Changed)-shownInputs))
	default:
		return c.Changed
	}
}

// shortCommit returns the first 12 digits of a commit id.
func shortCommit(id string) string { return id[:min(len(id), 12)] }
