package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The budgets. Each is a promise of the README's.
const (
	coldBudget    = 1.05 // of the bare solves
	coldOfBake    = 1.0
	sameBudget    = 0.15 // of buildx bake
	newBudget     = 0.3  // of buildx bake
	cachedBudget  = 1.1  // of the bare solves
	planBudget    = 150 * time.Millisecond
	startUpBudget = 30 * time.Millisecond
	taskBudget    = 100 * time.Millisecond
	memoryBudget  = int64(100 << 20) // bytes
)

const (
	// shortRuns is how much more often a build that takes a second is measured.
	shortRuns = 3
	// starts is how often the program is started, and planned with.
	starts = 20
)

// stage is one measurement and its rows of the table.
type stage struct {
	name    string
	measure func(*bench, context.Context) ([]row, error)
}

var stages = []stage{
	{"start-up", (*bench).startUp},
	{"plan", (*bench).plan},
	{"task", (*bench).task},
	{"cold", (*bench).cold},
	{"unchanged", (*bench).unchanged},
	{"one changed", (*bench).oneChanged},
	{"hashing", (*bench).hashing},
	{"distant", (*bench).distant},
	{"cached", (*bench).cached},
	{"caches", (*bench).caches},
	{"compression", (*bench).compression},
	{"reproducible", (*bench).reproducible},
	{"rollback", (*bench).rollback},
	{"pool", (*bench).pool},
}

func stageNames() []string {
	var out []string
	for _, s := range stages {
		out = append(out, s.name)
	}
	return out
}

func chosen(only string) []stage {
	if only == "" {
		return stages
	}
	for _, s := range stages {
		if s.name == only {
			return []stage{s}
		}
	}
	return nil
}

func (b *bench) startUp(ctx context.Context) ([]row, error) {
	wall, _, err := b.times(ctx, b.dir, "version")
	if err != nil {
		return nil, err
	}
	return []row{limitRow("start-up: `slipway version`", seconds(wall), wall, startUpBudget, seconds(startUpBudget))}, nil
}

func (b *bench) plan(ctx context.Context) ([]row, error) {
	dir := filepath.Join(b.dir, "large")
	if err := writeLargeProject(dir); err != nil {
		return nil, err
	}
	plain, plainUser, err := b.times(ctx, dir, "build", "--plan")
	if err != nil {
		return nil, err
	}
	if err := commit(ctx, dir); err != nil {
		return nil, err
	}
	git, gitUser, err := b.times(ctx, dir, "build", "--plan")
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("plan of %d services", planCount)
	return []row{
		limitRow(what+", in git", fmt.Sprintf("%s (user %s)", seconds(git), seconds(gitUser)), git, planBudget, seconds(planBudget)),
		{what: what + ", hash from the content", slipway: fmt.Sprintf("%s (user %s)", seconds(plain), seconds(plainUser))},
	}, nil
}

// task derives the task definitions of many services.
func (b *bench) task(ctx context.Context) ([]row, error) {
	dir := filepath.Join(b.dir, "tasks")
	if err := writeTaskProject(dir); err != nil {
		return nil, err
	}
	wall, user, err := b.times(ctx, dir, "task", "--output", "json")
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("task definitions of %d services", taskCount)
	return []row{limitRow(what, fmt.Sprintf("%s (user %s)", seconds(wall), seconds(user)), wall, taskBudget, seconds(taskBudget))}, nil
}

// times is how long Slipway takes for a command, and how much of a core's time,
// as medians. The first run is not counted: it reads the program from the disk.
func (b *bench) times(ctx context.Context, dir string, args ...string) (wall, user time.Duration, err error) {
	var walls, users []time.Duration
	for i := range starts + 1 {
		cmd := exec.CommandContext(ctx, b.slipwayBin, args...)
		cmd.Dir, cmd.Env = dir, b.stand.environ()
		start := time.Now()
		if err := quietly(cmd); err != nil {
			return 0, 0, err
		}
		if i > 0 {
			walls, users = append(walls, time.Since(start)), append(users, cmd.ProcessState.UserTime())
		}
	}
	b.say("slipway %s took %s", strings.Join(args, " "), seconds(median(walls)))
	return median(walls), median(users), nil
}

// cold builds everything on an empty engine into empty repositories.
func (b *bench) cold(ctx context.Context) ([]row, error) {
	samples, err := b.coldSamples(ctx)
	if err != nil {
		return nil, err
	}
	rows := b.compare("cold build of eight services", samples, coldBudget, coldOfBake)
	most := peak(samples[0])
	if most == 0 {
		return nil, errors.New("the system does not say how much memory slipway took")
	}
	return append(rows, limitRow("memory of slipway in the cold build", fmt.Sprintf("%d MiB", most>>20), most, memoryBudget, "100 MiB")), nil
}

func (b *bench) coldSamples(ctx context.Context) ([][]sample, error) {
	var entries []entry
	for i, c := range b.everyone() {
		prefix := func(round int) string { return fmt.Sprintf("cold-%d-%d", round, i) }
		entries = append(entries, entry{
			contestant: c,
			prepare: func(ctx context.Context, round int) error {
				return errors.Join(b.stand.engine.Renew(ctx), b.stand.createRepositories(ctx, prefix(round), b.project.services))
			},
			job: func(round int) job { return job{prefix: prefix(round), tag: "one"} },
			check: func(ctx context.Context, j job) error {
				_, err := b.pushed(ctx, j)
				return err
			},
		})
	}
	return interleave(ctx, b.runs, entries, b.tell("cold"))
}

// unchanged builds the images of the repositories again: under the same tag, and under
// a new one as a commit does that changes no image. For a new tag the others have
// an engine with everything in it, and Slipway has none, as on a fresh host.
func (b *bench) unchanged(ctx context.Context) ([]row, error) {
	seeds, err := b.seedAgain(ctx)
	if err != nil {
		return nil, err
	}
	same, err := interleave(ctx, b.runs*shortRuns, b.again(seeds, sameTag), b.tell("unchanged, same tag"))
	if err != nil {
		return nil, err
	}
	fresh, err := b.newTagSamples(ctx, seeds)
	if err != nil {
		return nil, err
	}
	return append(
		b.compare("nothing changed, the same hash", same, 0, sameBudget),
		b.compare(newTagLabel, fresh, 0, newBudget)...,
	), nil
}

const newTagLabel = "nothing changed, a new hash; Slipway on a fresh host"

func (b *bench) seedAgain(ctx context.Context) ([]seed, error) {
	return b.seed(ctx, b.everyone(), func(i int) job { return job{prefix: fmt.Sprintf("again-%d", i), tag: "seed"} })
}

func (b *bench) newTagSamples(ctx context.Context, seeds []seed) ([][]sample, error) {
	who := b.everyone()
	who[0] = slipway{bench: b, engine: "unix:///nowhere/buildkitd.sock"}
	return interleave(ctx, b.runs*shortRuns, b.againAs(who, seeds, newTag), b.tell("unchanged, new tag"))
}

// cached builds on an emptied engine what the repositories keep a cache of, as a job on
// a fresh host does: each reads the cache and writes one for the next job. All work in
// the same repositories and import the cache that Slipway exported. First nothing has
// changed, where Slipway would build nothing without --rebuild; then one service has.
func (b *bench) cached(ctx context.Context) ([]row, error) {
	who := b.everyone()
	who[0] = slipway{bench: b, more: []string{"--cache", "registry"}}
	seeds, err := b.seed(ctx, who, func(i int) job { return job{prefix: "cached", tag: fmt.Sprintf("seed-%d", i), cached: true} })
	if err != nil {
		return nil, err
	}
	const unchanged, oneChanged = "emptied engine, remote cache read and written", "emptied engine, remote cache, one service changed"
	who[0] = slipway{bench: b, more: []string{"--cache", "registry", "--rebuild"}}
	all := b.againAs(who, seeds, newTag)
	for i := range all {
		all[i].prepare = func(ctx context.Context, _ int) error { return b.stand.engine.Renew(ctx) }
	}
	rebuilt, err := interleave(ctx, b.runs*shortRuns, all, b.tell(unchanged))
	if err != nil {
		return nil, err
	}
	who[0] = slipway{bench: b, more: []string{"--cache", "registry"}}
	one := b.againAs(who, seeds, func(seed string, round int) string { return fmt.Sprintf("%s-changed-%d", seed, round) })
	for i := range one {
		one[i].prepare = func(ctx context.Context, round int) error {
			// No contestant finds the change of another in the cache.
			return errors.Join(b.stand.engine.Renew(ctx), b.change(b.project.services[0], fmt.Sprintf("%d of %d", round, i)))
		}
		one[i].check = func(ctx context.Context, j job) error {
			digests, err := b.pushed(ctx, j)
			if err == nil && digests == seeds[i].digests {
				err = fmt.Errorf("%s: the change was not built", j.tag)
			}
			return err
		}
	}
	changed, err := interleave(ctx, b.runs*shortRuns, one, b.tell(oneChanged))
	if err != nil {
		return nil, err
	}
	return slices.Concat(
		b.compare(oneChanged, changed, cachedBudget, 0),
		b.compare(unchanged+", --rebuild", rebuilt, 0, 0),
	), nil
}

// seed is a contestant's first build, which the later ones repeat.
type seed struct {
	job     job
	digests string
}

// seed builds once for each contestant. Slipway comes first: its cache is there
// for the others.
func (b *bench) seed(ctx context.Context, who []contestant, first func(i int) job) ([]seed, error) {
	var seeds []seed
	made := map[string]bool{}
	for i, c := range who {
		j := first(i)
		if !made[j.prefix] {
			if err := b.stand.createRepositories(ctx, j.prefix, b.project.services); err != nil {
				return nil, err
			}
			made[j.prefix] = true
		}
		b.say("%s: seeding %s", c.name(), j.prefix)
		if _, err := c.build(ctx, j); err != nil {
			return nil, contestError{c.name(), err}
		}
		digests, err := b.pushed(ctx, j)
		if err != nil {
			return nil, contestError{c.name(), err}
		}
		seeds = append(seeds, seed{j, digests})
	}
	return seeds, nil
}

func sameTag(seed string, _ int) string { return seed }

func newTag(seed string, round int) string { return fmt.Sprintf("%s-%d", seed, round) }

// again repeats the seeds. Digests other than the seed's would mean that the
// cache was not used: file times alone make another layer of every RUN.
func (b *bench) again(seeds []seed, tag func(seed string, round int) string) []entry {
	return b.againAs(b.everyone(), seeds, tag)
}

func (b *bench) againAs(who []contestant, seeds []seed, tag func(seed string, round int) string) []entry {
	var entries []entry
	for i, c := range who {
		entries = append(entries, entry{
			contestant: c,
			prepare:    func(context.Context, int) error { return nil },
			job: func(round int) job {
				j := seeds[i].job
				j.tag = tag(j.tag, round)
				return j
			},
			check: func(ctx context.Context, j job) error {
				digests, err := b.pushed(ctx, j)
				if err == nil && digests != seeds[i].digests {
					err = fmt.Errorf("%s: other digests than before, so the cache was not used", j.tag)
				}
				return err
			},
		})
	}
	return entries
}

// compare makes a row for each contestant beside Slipway, whose samples are the
// first. A budget of 0 is none.
func (b *bench) compare(what string, samples [][]sample, bareBudget, bakeBudget float64) []row {
	var rows []row
	ours := median(walls(samples[0]))
	budgets := []float64{bareBudget, bakeBudget}
	for i, c := range b.others() {
		budget := 0.0
		if i < len(budgets) {
			budget = budgets[i]
		}
		rows = append(rows, ratioRow(what, ours, c.name(), median(walls(samples[i+1])), budget))
	}
	return rows
}
