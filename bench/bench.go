package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// bench is one run of the program.
type bench struct {
	runs int
	log  io.Writer
	load string // average when the program started

	dir                   string
	slipwayBin, buildxBin string // buildxBin is empty where there is none
	sandboxBin            string
	project               project
	stand                 *stand
}

// open prepares everything that is not measured.
func (b *bench) open(ctx context.Context, o options) error {
	var err error
	if b.slipwayBin, err = program(o.bin, "slipway", "make build"); err != nil {
		return err
	}
	b.sandboxBin, err = program(o.bin, "slipway-sandbox", "make build")
	if err != nil {
		return err
	}
	if b.buildxBin, err = program(o.tool, "buildx", "make .tools/bin/buildx"); err != nil {
		b.buildxBin = ""
		b.say("comparisons with buildx bake are left out: %v", err)
	}
	if b.dir, err = os.MkdirTemp("", "slipway-bench-"); err != nil {
		return err
	}
	if b.project, err = writeProject(ctx, filepath.Join(b.dir, "project")); err != nil {
		return err
	}
	if b.stand, err = openStand(ctx, b.dir, b.sandboxBin); err != nil {
		return err
	}
	if b.buildxBin != "" {
		return bake{bench: b}.createBuilder(ctx)
	}
	return nil
}

func (b *bench) close() error {
	var errs []error
	if b.stand != nil {
		errs = append(errs, b.stand.close())
	}
	return errors.Join(append(errs, os.RemoveAll(b.dir))...)
}

func program(dir, name, remedy string) (string, error) {
	path, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w (`%s` builds it)", err, remedy)
	}
	return path, nil
}

func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.log, format+"\n", args...) }

func (b *bench) tell(stage string) func(int, entry, sample) {
	return func(round int, e entry, s sample) {
		b.say("%s, round %d: %s took %s", stage, round+1, e.name(), seconds(s.wall))
	}
}

// others are the contestants beside Slipway: bare BuildKit first.
func (b *bench) others() []contestant {
	if b.buildxBin == "" {
		return []contestant{bare{b}}
	}
	return []contestant{bare{b}, bake{bench: b}, bake{b, "bake " + deferOutput, []string{deferOutput}}}
}

func (b *bench) everyone() []contestant {
	return append([]contestant{slipway{bench: b}}, b.others()...)
}

func (b *bench) pushed(ctx context.Context, j job) (string, error) {
	return b.stand.digests(ctx, j.prefix, j.tag, b.project.services)
}
