package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moby/buildkit/client"
)

const (
	// oneChangedExtra is the time that a build with one changed service may take more
	// than that service's own build.
	oneChangedExtra = 2 * time.Second
	// hashFiles files of hashFileMB each are hashed.
	hashFiles  = 64
	hashFileMB = 8
	// hashBudget is in MB a second.
	hashBudget = 500
)

// oneChanged builds a project of many services of which one has changed since the
// last build, and compares it with a bare solve of a service that has changed too.
func (b *bench) oneChanged(ctx context.Context) ([]row, error) {
	many := *b
	many.project = project{dir: filepath.Join(b.dir, "many"), services: largeServices()}
	if err := writeLargeProject(many.project.dir); err != nil {
		return nil, err
	}
	if err := b.stand.createRepositories(ctx, "many", many.project.services); err != nil {
		return nil, err
	}
	ours := slipway{bench: &many}
	b.say("slipway: seeding %d services", planCount)
	if _, err := ours.build(ctx, job{prefix: "many", tag: "seed"}); err != nil {
		return nil, err
	}
	var walls, alone []time.Duration
	for round := range b.runs * shortRuns {
		tag := fmt.Sprintf("seed-%d", round)
		if err := many.change(many.project.services[0], tag); err != nil {
			return nil, err
		}
		start := time.Now()
		if _, err := ours.build(ctx, job{prefix: "many", tag: tag}); err != nil {
			return nil, err
		}
		walls = append(walls, time.Since(start))
		took, err := many.solveChanged(ctx, many.project.services[1], tag)
		if err != nil {
			return nil, err
		}
		alone = append(alone, took)
		b.say("one changed, round %d: slipway took %s, the solve alone %s", round+1, seconds(walls[round]), seconds(took))
	}
	wall, solve := median(walls), median(alone)
	return []row{{
		what: fmt.Sprintf("one of %d services changed", planCount), slipway: seconds(wall),
		other: "its bare solve " + seconds(solve), budget: "≤ " + seconds(oneChangedExtra) + " more", verdict: judge(wall-solve <= oneChangedExtra),
	}}, nil
}

// change changes one file of a service.
func (b *bench) change(service, text string) error {
	return os.WriteFile(filepath.Join(b.project.dir, service, "lib", "00.txt"), []byte(text+"\n"), 0o644)
}

// solveChanged changes a service and times its bare solve.
func (b *bench) solveChanged(ctx context.Context, service, tag string) (took time.Duration, err error) {
	if err := b.change(service, tag); err != nil {
		return 0, err
	}
	c, err := client.New(ctx, b.stand.engine.Addr)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	start := time.Now()
	err = bare{b}.solve(ctx, c, service, b.refs("many", "bare-"+tag)[service], caches{})
	return time.Since(start), err
}

// hashing plans, without building, a service with a large build context: its files
// are hashed for what has changed. The time without the files is subtracted.
func (b *bench) hashing(ctx context.Context) ([]row, error) {
	dir := filepath.Join(b.dir, "hashing")
	if err := b.stand.createRepositories(ctx, "hashing", []string{"data"}); err != nil {
		return nil, err
	}
	if err := writeService(filepath.Join(dir, "data"), "FROM scratch\nCOPY . /src\n", 1); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "compose.yaml"), []byte("name: hashing\nservices:\n  data: {build: ./data}\n"), 0o644); err != nil {
		return nil, err
	}
	args := []string{"build", "--dry-run", "--hash", "one"}
	without, _, err := b.times(ctx, dir, args...)
	if err != nil {
		return nil, err
	}
	if err := writeNoise(filepath.Join(dir, "data")); err != nil {
		return nil, err
	}
	with, _, err := b.times(ctx, dir, args...)
	if err != nil {
		return nil, err
	}
	const size = hashFiles * hashFileMB
	rate := int64(float64(size) / (with - without).Seconds())
	return []row{{
		what: fmt.Sprintf("hashing a build context of %d MB", size), slipway: fmt.Sprintf("%d MB/s", rate),
		budget: fmt.Sprintf("≥ %d MB/s", hashBudget), verdict: judge(rate >= hashBudget),
	}}, nil
}

// writeNoise writes files with random content: no two are alike.
func writeNoise(dir string) error {
	noise := rand.NewChaCha8([32]byte([]byte(strings.Repeat("n", 32))))
	for i := range hashFiles {
		data := make([]byte, hashFileMB<<20)
		_, _ = noise.Read(data) // never fails
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("noise-%d", i)), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
