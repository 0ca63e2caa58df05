package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/internal/golden"
)

var someRows = []row{
	limitRow("start-up", "14 ms", 14*time.Millisecond, startUpBudget, seconds(startUpBudget)),
	limitRow("memory", "100 MiB", memoryBudget, memoryBudget, "100 MiB"),
	ratioRow("cold", 6300*time.Millisecond, "bare solves", 6*time.Second, coldBudget),
	ratioRow("cold again", 6306*time.Millisecond, "bare solves", 6*time.Second, coldBudget),
	ratioRow("to be known", 400*time.Millisecond, "bake", 800*time.Millisecond, 0),
}

func TestReport(t *testing.T) {
	var out bytes.Buffer
	err := report(&out, []string{"machine: two cores", "load: none"}, someRows)
	golden.Check(t, "report.golden", out.Bytes())
	if !errors.Is(err, errMissed) {
		t.Fatalf("got %v, want errMissed", err)
	}
	want := "missed: memory: 100 MiB, budget < 100 MiB; cold again: 1.06 of bare solves 6.00 s, budget ≤ 1.05"
	if err.Error() != want {
		t.Errorf("got  %q\nwant %q", err, want)
	}
	if err := report(io.Discard, nil, someRows[:1]); err != nil {
		t.Errorf("with every budget kept: %v", err)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []int64
		want   int64
	}{
		{[]int64{7}, 7},
		{[]int64{9, 1, 5}, 5},
		{[]int64{8, 2, 4, 100}, 6},
	} {
		given := slices.Clone(c.values)
		if got := median(c.values); got != c.want {
			t.Errorf("median(%v) = %d, want %d", c.values, got, c.want)
		}
		if !slices.Equal(given, c.values) {
			t.Errorf("the samples were reordered: %v", c.values)
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		args  string
		usage bool
		want  options
	}{
		{"", false, options{runs: 5, bin: "bin", tool: ".tools/bin"}},
		{"-runs 7 -only cold", false, options{runs: 7, bin: "bin", tool: ".tools/bin", only: "cold"}},
		{"-runs 0", true, options{}},
		{"-only warm", true, options{}},
		{"-fast", true, options{}},
		{"cold", true, options{}},
	} {
		got, err := parse(strings.Fields(c.args), io.Discard)
		if errors.Is(err, errUsage) != c.usage || !c.usage && (err != nil || got != c.want) {
			t.Errorf("%q: got %+v, %v, want %+v, wrong usage: %v", c.args, got, err, c.want, c.usage)
		}
	}
}

func TestExitCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{flag.ErrHelp, 0},
		{fmt.Errorf("%w: cold", errMissed), 1},
		{errors.New("no engine"), 1},
		{fmt.Errorf("%w: -fast", errUsage), 2},
	} {
		if got := exitCode(c.err, io.Discard); got != c.want {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.want)
		}
	}
}

// fake notes its turns instead of building.
type fake struct {
	who   string
	turns *[]string
	err   error
}

func (f fake) name() string { return f.who }

func (f fake) build(_ context.Context, j job) (usage, error) {
	*f.turns = append(*f.turns, f.who+j.tag)
	return usage{peak: int64(len(*f.turns))}, f.err
}

func fakeEntry(f fake, checked error) entry {
	return entry{
		contestant: f,
		prepare:    func(context.Context, int) error { return nil },
		job:        func(round int) job { return job{tag: fmt.Sprint(round)} },
		check:      func(context.Context, job) error { return checked },
	}
}

func TestInterleave(t *testing.T) {
	var turns []string
	entries := []entry{fakeEntry(fake{"a", &turns, nil}, nil), fakeEntry(fake{"b", &turns, nil}, nil), fakeEntry(fake{"c", &turns, nil}, nil)}
	told := 0
	samples, err := interleave(t.Context(), 3, entries, func(int, entry, sample) { told++ })
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(turns, " "), "a0 b0 c0 b1 c1 a1 c2 a2 b2"; got != want {
		t.Errorf("turns %s, want %s", got, want)
	}
	if told != len(turns) || len(samples) != 3 || len(samples[1]) != 3 {
		t.Errorf("%d told of %d turns, samples %v", told, len(turns), samples)
	}
	// b had turns 2, 4 and 9.
	if got := peak(samples[1]); got != 9 {
		t.Errorf("peak %d, want 9", got)
	}
}

func TestInterleaveStops(t *testing.T) {
	broken := errors.New("broken")
	for name, second := range map[string]func(*[]string) entry{
		"build":  func(turns *[]string) entry { return fakeEntry(fake{"b", turns, broken}, nil) },
		"result": func(turns *[]string) entry { return fakeEntry(fake{"b", turns, nil}, broken) },
	} {
		var turns []string
		entries := []entry{fakeEntry(fake{"a", &turns, nil}, nil), second(&turns)}
		_, err := interleave(t.Context(), 2, entries, func(int, entry, sample) {})
		if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "b: ") || len(turns) != 2 {
			t.Errorf("%s: got %v after %v, want the error of b after two turns", name, err, turns)
		}
	}
}

func TestField(t *testing.T) {
	path := filepath.Join(t.TempDir(), "facts")
	if err := os.WriteFile(path, []byte("MemFree:  1 kB\nmodel name\t: Z80\nmodel name\t: 6502\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := field(path, "model name", "?"); got != "Z80" {
		t.Errorf("got %q, want Z80", got)
	}
	if got := field(path, "cores", "?"); got != "?" {
		t.Errorf("got %q, want ?", got)
	}
}

// TestCount counts the calls of a rollback by repository and by ECS service.
func TestCount(t *testing.T) {
	made := []call{
		{Service: "ecr", Action: "DescribeRepositories"},
		{Service: "ecr", Action: "PutImage", Repository: "a"},
		{Service: "registry", Action: "GET manifest", Repository: "a"},
		{Service: "ecr", Action: "PutImage", Repository: "b"},
		{Service: "ecs", Action: "DescribeServices", Reference: "s"},
		{Service: "ecs", Action: "UpdateService", Reference: "s"},
	}
	if got, want := count(made), (calls{repository: 2, service: 1}); got != want {
		t.Errorf("counted %v, want %v", got, want)
	}
	if countRow("x", 5, 4).verdict != missedBudget || countRow("x", 4, 4).verdict != keptBudget {
		t.Error("5 of 4 must miss the budget, and 4 of 4 keep it")
	}
}
