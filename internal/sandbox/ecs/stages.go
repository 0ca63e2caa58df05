package ecs

import (
	"cmp"
	"slices"
	"time"
)

// stageOf is a lifecycle stage with its duration and the share of the traffic,
// in percent, that the green revision has from its beginning.
type stageOf struct {
	name          string
	lasts         time.Duration
	test, shifted float64
}

// timeStage is the duration of stages that wait for nothing.
const timeStage = time.Second

// stages returns the stages that follow when the green tasks are up, as in the
// reference of ServiceDeployment's lifecycleStage. LINEAR and CANARY return to
// PRODUCTION_TRAFFIC_SHIFT for every step.
func (d deploymentSettings) stages() []stageOf {
	out := []stageOf{
		{"POST_SCALE_UP", timeStage, 0, 0},
		{"TEST_TRAFFIC_SHIFT", timeStage, 100, 0},
		{"POST_TEST_TRAFFIC_SHIFT", timeStage, 100, 0},
	}
	step, wait := 100.0, time.Duration(0)
	switch d.Strategy {
	case "LINEAR":
		step, wait = cmp.Or(d.Linear.Percent, 10), time.Duration(cmp.Or(d.Linear.BakeTime, 6))*time.Minute
	case "CANARY":
		first := cmp.Or(d.Canary.Percent, 5)
		out = append(out, stageOf{"PRODUCTION_TRAFFIC_SHIFT", time.Duration(cmp.Or(d.Canary.BakeTime, 10)) * time.Minute, 100, first})
	}
	for at := step; ; at += step {
		if at >= 100 {
			out = append(out, stageOf{"PRODUCTION_TRAFFIC_SHIFT", timeStage, 100, 100})
			break
		}
		out = append(out, stageOf{"PRODUCTION_TRAFFIC_SHIFT", wait, 100, at})
	}
	return append(d.withHooks(out),
		stageOf{"POST_PRODUCTION_TRAFFIC_SHIFT", timeStage, 100, 100},
		stageOf{"BAKE_TIME", time.Duration(d.BakeTimeInMinutes) * time.Minute, 100, 100},
		stageOf{"CLEAN_UP", 0, 100, 100},
	)
}

// withHooks adds PRE_PRODUCTION_TRAFFIC_SHIFT before each step of the shift if
// a hook waits there: nothing else shows that stage.
func (d deploymentSettings) withHooks(stages []stageOf) []stageOf {
	const before = "PRE_PRODUCTION_TRAFFIC_SHIFT"
	if !slices.ContainsFunc(d.Hooks, func(h lifecycleHook) bool { return h.pauses(before) }) {
		return stages
	}
	var out []stageOf
	for _, s := range stages {
		if s.name == "PRODUCTION_TRAFFIC_SHIFT" {
			out = append(out, stageOf{before, timeStage, 100, out[len(out)-1].shifted})
		}
		out = append(out, s)
	}
	return out
}
