package doctor

import (
	"context"
	"maps"
	"slices"
	"strings"

	ociplatforms "github.com/containerd/platforms"

	"slipway/internal/fault"
	"slipway/rollout/task"
)

// checkArchitecture compares the platforms that the images are built for with those of
// the tasks. ECS finds no image of another platform, or its program does not start.
func (d *doctor) checkArchitecture(context.Context) []Finding {
	found, err := d.tasks()
	if err != nil {
		return []Finding{broken(err)}
	}
	built := d.builtPlatforms()
	var out []Finding
	for _, use := range found.uses {
		want := platformOf(use.Input)
		if want == "" || len(use.Built) == 0 {
			continue
		}
		var wrong []Finding
		for _, container := range slices.Sorted(maps.Keys(use.Built)) {
			have := built[use.Built[container].Target.Service]
			if len(have) == 0 || slices.Contains(have, want) {
				continue
			}
			wrong = append(wrong, d.onECS(Finding{Status: StatusFailed, Kind: fault.Input,
				Detail: "the image is built for " + strings.Join(have, ", ") + ", and the task runs on " + want + ": its program will not start",
				Remedy: "services." + use.Built[container].Target.Service + ".platform: " + want + ", or runtimePlatform in the task definition",
			}).of(use.Subject+" "+container))
		}
		if len(wrong) == 0 {
			wrong = []Finding{Fine("%s, as the images", want).of(use.Subject)}
		}
		out = append(out, wrong...)
	}
	return out
}

// builtPlatforms returns the platforms that the images of services are built for, none
// where only an engine knows and there is none.
func (d *doctor) builtPlatforms() map[string][]string {
	var own []string
	if found, err := d.engine(); err == nil {
		own = found.builds()
	}
	out := map[string][]string{}
	for _, t := range d.plan.Targets() {
		out[t.Service] = own
		if len(t.Platforms) > 0 {
			out[t.Service] = normalized(t.Platforms)
		}
	}
	return out
}

// builds returns the platforms of images that name none: of each engine for a platform,
// else what the engine itself runs on.
func (e *foundEngine) builds() []string {
	var out []string
	for _, one := range e.all {
		if one.Platform != "" {
			out = append(out, one.Platform)
		}
	}
	if len(out) == 0 && len(e.Platforms) > 0 {
		out = e.Platforms[:1]
	}
	return normalized(out)
}

func normalized(names []string) []string {
	var out []string
	for _, name := range names {
		if p, err := ociplatforms.Parse(name); err == nil {
			out = append(out, p.OS+"/"+p.Architecture)
		}
	}
	return out
}

// platformOf returns the platform of a task, as OS/ARCHITECTURE; empty if the instances
// that run it decide. On Fargate it is linux/amd64 by default ("RuntimePlatform" in the
// API reference).
func platformOf(in task.Input) string {
	architectures := map[string]string{"X86_64": "amd64", "ARM64": "arm64"}
	switch p := in.RuntimePlatform; {
	case p != nil && p.CPUArchitecture != "":
		if p.OperatingSystemFamily != "" && p.OperatingSystemFamily != "LINUX" || architectures[p.CPUArchitecture] == "" {
			return ""
		}
		return "linux/" + architectures[p.CPUArchitecture]
	case p == nil && slices.Contains(in.RequiresCompatibilities, "FARGATE"):
		return "linux/amd64"
	default:
		return ""
	}
}
