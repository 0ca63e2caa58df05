package cmd

import (
	"fmt"
	"time"

	"slipway/cmd/hint"
	"slipway/internal/fault"
	"slipway/internal/phrase"
	"slipway/internal/plain"
	"slipway/retention"
)

// results are what was done or would be.
func retentionRows(r *retention.Applied, preview bool) []retained {
	var out []retained
	for _, p := range r.Policies {
		e := retained{Target: p.Repository.URI.Name(), Changed: p.Outcome.Changed && p.Clash == nil}
		if p.Clash != nil {
			e.Conflict = p.Clash.Error()
		}
		if preview {
			e.Losses, e.NeedsApply = len(p.Losses), len(p.Losses) > 0
		}
		for _, x := range r.Expiring[p.Repository.Ref] {
			e.Expires = append(e.Expires, expiry{x.Digest, x.Tags, x.PushedAt})
		}
		out = append(out, e)
	}
	for _, b := range r.Buckets {
		e := retained{Target: b.Location.String(), Changed: b.Changed}
		if preview {
			e.Losses, e.NeedsApply = b.Objects, b.Objects > 0
		}
		out = append(out, e)
	}
	return out
}

func printRetention(w *cli, r *retention.Applied, o retentionCommand) error {
	results, conflicts := retentionRows(r, o.preview), 0
	for _, e := range results {
		if e.Conflict != "" {
			conflicts++
			w.Warnf("%s: %s\n%s", e.Target, e.Conflict, hint.Conflict)
		}
	}
	if o.output == "json" {
		if err := writeJSON(w.stdout, results); err != nil {
			return err
		}
	} else {
		for _, e := range results {
			printRetained(w, e, o.preview)
		}
	}
	if conflicts > 0 {
		return &reportedError{fault.New(fault.AWS, fmt.Errorf("%s left as they are", phrase.Count(conflicts, "policy conflict")), "")}
	}
	return nil
}

func printRetained(w *cli, e retained, preview bool) {
	state := "unchanged"
	switch {
	case e.Conflict != "":
		state = "conflict"
	case e.NeedsApply:
		state = fmt.Sprintf("would change only with --apply: %d images or objects of others would expire", e.Losses)
	case e.Changed && preview:
		state = "would change"
	case e.Changed:
		state = "changed"
	}
	plain.Fprintf(w.stdout, "%s  %s\n", e.Target, state)
	for _, x := range e.Expires {
		plain.Fprintf(w.stdout, "  would expire  %s  %s  pushed %s\n", x.Digest, retention.TagsText(x.Tags), x.Pushed.UTC().Format(time.RFC3339))
	}
}
