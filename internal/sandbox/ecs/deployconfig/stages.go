package deployconfig

import (
	"cmp"
	"slices"
	"time"
)

// Stage is a lifecycle stage with its duration, and the shares of the test
// traffic and of the traffic, in percent, that the green revision has from its
// beginning.
type Stage struct {
	Name          string
	Lasts         time.Duration
	Test, Shifted float64
}

// TimeStage is the duration of stages that wait for nothing.
const TimeStage = time.Second

// Stages returns the stages that follow when the green tasks are up, as in the
// reference of ServiceDeployment's lifecycleStage. LINEAR and CANARY return to
// PRODUCTION_TRAFFIC_SHIFT for every step.
func (d Settings) Stages() []Stage {
	out := []Stage{
		{"POST_SCALE_UP", TimeStage, 0, 0},
		{"TEST_TRAFFIC_SHIFT", TimeStage, 100, 0},
		{"POST_TEST_TRAFFIC_SHIFT", TimeStage, 100, 0},
	}
	step, wait := 100.0, time.Duration(0)
	switch d.Strategy {
	case "LINEAR":
		step, wait = cmp.Or(d.Linear.Percent, 10), time.Duration(cmp.Or(d.Linear.BakeTime, 6))*time.Minute
	case "CANARY":
		first := cmp.Or(d.Canary.Percent, 5)
		out = append(out, Stage{"PRODUCTION_TRAFFIC_SHIFT", time.Duration(cmp.Or(d.Canary.BakeTime, 10)) * time.Minute, 100, first})
	}
	for at := step; ; at += step {
		if at >= 100 {
			out = append(out, Stage{"PRODUCTION_TRAFFIC_SHIFT", TimeStage, 100, 100})
			break
		}
		out = append(out, Stage{"PRODUCTION_TRAFFIC_SHIFT", wait, 100, at})
	}
	return append(d.withHooks(out),
		Stage{"POST_PRODUCTION_TRAFFIC_SHIFT", TimeStage, 100, 100},
		Stage{"BAKE_TIME", time.Duration(d.BakeTimeInMinutes) * time.Minute, 100, 100},
		Stage{"CLEAN_UP", 0, 100, 100},
	)
}

// withHooks adds PRE_PRODUCTION_TRAFFIC_SHIFT before each step of the shift if
// a hook waits there: nothing else shows that stage.
func (d Settings) withHooks(stages []Stage) []Stage {
	const before = "PRE_PRODUCTION_TRAFFIC_SHIFT"
	if !slices.ContainsFunc(d.Hooks, func(h Hook) bool { return h.Pauses(before) }) {
		return stages
	}
	var out []Stage
	for _, s := range stages {
		if s.Name == "PRODUCTION_TRAFFIC_SHIFT" {
			out = append(out, Stage{before, TimeStage, 100, out[len(out)-1].Shifted})
		}
		out = append(out, s)
	}
	return out
}
