// Package statuslist prints the state of ECS services and scheduled tasks for people.
package statuslist

import (
	"cmp"
	"fmt"
	"path"
	"strings"
	"text/tabwriter"
	"time"

	"slipway/internal/phrase"
	"slipway/internal/plain"
	"slipway/registry"
	"slipway/rollout/schedules"
	"slipway/rollout/status"
)

// Service writes a service. Times are relative to now.
func Service(b *strings.Builder, s status.Service, now time.Time) {
	plain.Fprintf(b, "%s  %d of %d running", s.Ref, s.Running, s.Desired)
	if s.Pending > 0 {
		plain.Fprintf(b, ", %d pending", s.Pending)
	}
	plain.Fprintf(b, "  %s", path.Base(s.TaskDefinition))
	if s.Controller != "ECS" {
		plain.Fprintf(b, "  %s", s.Controller)
	} else if s.Strategy != "ROLLING" {
		plain.Fprintf(b, "  %s", s.Strategy)
	}
	b.WriteString("\n")
	if d := s.Deployment; d != nil {
		plain.Fprintf(b, "  deployment %s  %s  %s ago", d.ID, d.Status, phrase.Ago(now, d.Created))
		if d.Reason != "" && s.Failure != nil {
			plain.Fprintf(b, "  %s", d.Reason)
		}
		b.WriteString("\n")
		if d.Paused != nil {
			plain.Fprintf(b, "  %s at %s\n", d.Paused.Text, d.Paused.Stage)
		}
	}
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  CONTAINER\tRUNS\tREVISION\tTASKS\tEXPIRES\tIMAGE")
	for _, c := range s.Containers {
		printContainer(t, c, now)
	}
	_ = t.Flush() // a Builder takes everything
	for _, line := range s.Diagnosis {
		plain.Fprintf(b, "  %s\n", line)
	}
}

func printContainer(t *tabwriter.Writer, c status.Container, now time.Time) {
	if len(c.Images) == 0 {
		plain.Fprintf(t, "  %s\t-\t-\t0\t-\t%s\n", c.Container, c.Image)
	}
	for _, i := range c.Images {
		expires := "-"
		switch {
		case c.Repository == "":
		case i.Gone:
			expires = "gone"
		default:
			expires = status.ExpiryText(i.Fate, i.Expires, now)
		}
		plain.Fprintf(t, "  %s\t%s\t%s\t%d\t%s\t%s\n", c.Container, cmp.Or(phrase.ShortDigest(i.Digest), "-"), imageNames(i), i.Tasks, expires, c.Image)
	}
}

// imageNames are the image's revision and the moving tags on it: "1a2b3c4d5e6f (latest)".
func imageNames(i status.Image) string {
	name := "-"
	if n := len(i.Revisions); n > 0 {
		name = i.Revisions[0]
		if n > 1 {
			name += fmt.Sprintf(" and %d more", n-1)
		}
	}
	switch {
	case i.Latest:
		return name + " (latest)"
	case i.Deployed:
		return name + " (" + registry.TagPrevious + ")"
	default:
		return name
	}
}

// Schedules writes the scheduled tasks.
func Schedules(b *strings.Builder, r schedules.Report) {
	b.WriteString("\n")
	if len(r.Uses) == 0 {
		b.WriteString("scheduled tasks: none runs an image of the project\n")
		return
	}
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SCHEDULED TASK\tSTATE\tTASK DEFINITION\tCONTAINER\tIMAGE\tEXPIRES")
	for _, u := range r.Uses {
		plain.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", u.Task, u.State, u.Definition, u.Container, u.Image, u.ExpiryText(r.At))
	}
	_ = t.Flush() // a Builder takes everything
}
