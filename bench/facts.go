package main

import (
	"bufio"
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/moby/buildkit/client"
)

// facts are the machine and the programs that the figures belong to.
func (b *bench) facts(ctx context.Context) []string {
	return []string{
		fmt.Sprintf("machine: %d cores (%s), %s of memory, %s, Linux %s", runtime.NumCPU(), processor(), memory(), runtime.GOARCH, firstLine("/proc/sys/kernel/osrelease")),
		"load average at the start: " + b.load,
		"programs: " + strings.Join(b.programs(ctx), ", "),
		fmt.Sprintf("workload: %d services from scratch, each %d small files, %d MB of RUN output, %d MB hashed", serviceCount, sourceFiles, dataMB, hashMB),
		fmt.Sprintf("medians of %d runs (%d of the short ones), orders rotated; one daemon and one sandbox registry for all, on loopback", b.runs, b.runs*shortRuns),
	}
}

func (b *bench) programs(ctx context.Context) []string {
	out := []string{runtime.Version()}
	if line, err := exec.CommandContext(ctx, b.slipwayBin, "version").Output(); err == nil {
		out = append(out, strings.TrimSpace(string(line)))
	}
	if c, err := client.New(ctx, b.stand.engine.Addr); err == nil {
		if info, err := c.Info(ctx); err == nil {
			out = append(out, "BuildKit "+info.BuildkitVersion.Version)
		}
		c.Close()
	}
	if b.buildxBin == "" {
		return append(out, "no buildx: its comparisons are left out")
	}
	return append(out, "buildx "+moduleVersion(b.buildxBin, "github.com/docker/buildx"))
}

// moduleVersion is the version of a module in a Go program.
func moduleVersion(program, module string) string {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return "(unknown)"
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == module {
			return m.Version
		}
	}
	return "(unknown)"
}

func processor() string { return field("/proc/cpuinfo", "model name", "unknown processor") }

func memory() string {
	var kib int64
	if _, err := fmt.Sscan(field("/proc/meminfo", "MemTotal", ""), &kib); err != nil {
		return "an unknown amount"
	}
	return fmt.Sprintf("%.1f GiB", float64(kib)/(1<<20))
}

// field is the value of the first "name: value" line of a file.
func field(path, name, otherwise string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return otherwise
	}
	s := bufio.NewScanner(bytes.NewReader(data))
	for s.Scan() {
		if k, v, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return otherwise
}

func firstLine(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return line
}

// loadAverage tells whether the machine was at rest before the measuring.
func loadAverage() string {
	fields := strings.Fields(firstLine("/proc/loadavg"))
	return fields[0]
}
