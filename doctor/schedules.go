package doctor

import (
	"context"
	"strings"

	"slipway/internal/phrase"
	"slipway/registry"
	"slipway/rollout/schedules"
)

// checkSchedules finds rules and schedules of EventBridge whose tasks run images that
// expire. A build runs without them, and without permission to read them.
func (d *doctor) checkSchedules(ctx context.Context) []Finding {
	c, err := d.cloud()
	if err != nil {
		return []Finding{broken(err)}
	}
	repos, err := d.repositories()
	if err != nil {
		return []Finding{broken(err)}
	}
	report, err := schedules.Find(ctx, d.Host, c, registry.DistinctRepositories(repos.list(d.plan)))
	if err != nil {
		return []Finding{broken(err).Softened()}
	}
	var out []Finding
	for _, u := range report.Uses {
		if u.Ends() {
			out = append(out, Warned(u.Remedy(), "%s", u.Problem(report.At)).of(u.Task.String()))
		}
	}
	if why := report.Incomplete(); why != "" {
		return append(out, Unchecked("allow "+strings.Join(schedules.Permissions, ", "), "%s", why))
	}
	switch {
	case len(report.Uses) == 0:
		return []Finding{Fine("none runs an image of the project")}
	case len(out) == 0:
		return []Finding{Fine("no image of %s expires", phrase.Count(len(report.Uses), "container"))}
	}
	return out
}
