package codepipeline

import (
	"cmp"
	"fmt"
	"time"

	"slipway/internal/sandbox/awsapi"
)

// execution is an execution of a pipeline. Its status follows from its start
// and the times that its actions take: the stages run one after the other, the
// actions of a stage at the same time.
type execution struct {
	id       string
	owner    *Pipelines
	pipeline *pipeline
	started  time.Time
	version  string // of the source's object
	outcomes map[actionKey]Action
	works    map[string]*actionWork // by action
	stopped  time.Time              // zero unless it was
	reason   string
}

// actionWork is the work of an action that has some.
type actionWork struct {
	ended time.Time // zero while it is under way
	err   error
}

// work returns an action's work, which it starts the first time. The caller
// holds the lock of the pipelines; the work itself does not.
func (e *execution) work(action string, run func(Work) error) *actionWork {
	if w := e.works[action]; w != nil {
		return w
	}
	if e.works == nil {
		e.works = map[string]*actionWork{}
	}
	w := &actionWork{}
	e.works[action] = w
	go func() {
		err := run(Work{e.id, e.version})
		e.owner.mu.Lock()
		defer e.owner.mu.Unlock()
		w.ended, w.err = e.owner.clock.Now(), err
		e.actions(w.ended) // begins the work of the next stage
	}()
	return w
}

const (
	runInProgress = "InProgress"
	runSucceeded  = "Succeeded"
	runFailed     = "Failed"
	runStopped    = "Stopped"
	runAbandoned  = "Abandoned"
)

type executionView struct {
	Pipeline  string           `json:"pipelineName,omitempty"`
	ID        string           `json:"pipelineExecutionId"`
	Status    string           `json:"status"`
	Summary   string           `json:"statusSummary,omitempty"`
	Start     awsapi.Epoch     `json:"startTime"`
	Updated   awsapi.Epoch     `json:"lastUpdateTime"`
	Revisions []sourceRevision `json:"sourceRevisions,omitempty"`
	Artifacts []sourceRevision `json:"artifactRevisions,omitempty"`
	Mode      string           `json:"executionMode"`
}

type sourceRevision struct {
	Name    string `json:"name,omitempty"`
	Action  string `json:"actionName,omitempty"`
	ID      string `json:"revisionId"`
	Summary string `json:"revisionSummary"`
}

type actionView struct {
	Execution string       `json:"pipelineExecutionId"`
	ID        string       `json:"actionExecutionId"`
	Version   int          `json:"pipelineVersion"`
	Stage     string       `json:"stageName"`
	Name      string       `json:"actionName"`
	Start     awsapi.Epoch `json:"startTime"`
	Updated   awsapi.Epoch `json:"lastUpdateTime"`
	Status    string       `json:"status"`
	Input     struct {
		Type          actionType        `json:"actionTypeId"`
		Configuration map[string]string `json:"configuration,omitempty"`
	} `json:"input"`
	Output actionOutput `json:"output"`
}

type actionOutput struct {
	Result struct {
		ID      string       `json:"externalExecutionId,omitempty"`
		Summary string       `json:"externalExecutionSummary,omitempty"`
		URL     string       `json:"externalExecutionUrl,omitempty"`
		Error   *actionError `json:"errorDetails,omitempty"`
	} `json:"executionResult"`
	Variables map[string]string `json:"outputVariables,omitempty"`
}

type actionError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// actions returns the actions that have started by now, in that order.
func (e *execution) actions(now time.Time) []actionView {
	if !e.stopped.IsZero() && now.After(e.stopped) {
		now = e.stopped
	}
	var out []actionView
	begin := e.started
	for _, stage := range e.pipeline.declaration.Stages {
		if begin.After(now) {
			break
		}
		end, broken := begin, false
		for _, a := range stage.Actions {
			view, ends := e.action(stage.Name, a, begin, now)
			out = append(out, view)
			broken = broken || view.Status == runFailed
			if ends.After(end) {
				end = ends
			}
		}
		if broken || end.After(now) {
			break
		}
		begin = end
	}
	return out
}

// action returns an action that has started, with its present status, and the
// time when it ends.
func (e *execution) action(stage string, a actionDeclaration, begin, now time.Time) (actionView, time.Time) {
	outcome := e.outcomes[actionKey{e.pipeline.declaration.Name, a.Name}]
	ends := begin.Add(cmp.Or(outcome.Takes, 200*time.Millisecond))
	if outcome.Run != nil {
		w := e.work(a.Name, outcome.Run)
		ends = cmp.Or(w.ended, now.Add(time.Hour))
		if w.err != nil {
			outcome.Error = w.err.Error()
		}
	}
	v := actionView{
		Execution: e.id, ID: fmt.Sprintf("%s-%s-%s", e.id, stage, a.Name), Version: e.pipeline.declaration.Version,
		Stage: stage, Name: a.Name, Start: awsapi.Epoch(begin), Updated: awsapi.Epoch(begin), Status: runInProgress,
	}
	v.Input.Type, v.Input.Configuration = a.ActionTypeID, a.Configuration
	v.Output.Result.URL = outcome.URL
	switch {
	case ends.After(now):
		if !e.stopped.IsZero() {
			v.Status, v.Updated = runAbandoned, awsapi.Epoch(e.stopped)
		}
		return v, ends
	case outcome.Error != "":
		v.Status = runFailed
		v.Output.Result.Error = &actionError{"JobFailed", outcome.Error}
	default:
		v.Status = runSucceeded
	}
	v.Updated, v.Output.Result.Summary = awsapi.Epoch(ends), outcome.Summary
	if a.Name == e.pipeline.source.action && v.Status == runSucceeded {
		v.Output.Variables = e.sourceVariables()
	}
	return v, ends
}

// view returns the execution with its present status.
func (e *execution) view(now time.Time) executionView {
	actions := e.actions(now)
	v := executionView{Pipeline: e.pipeline.declaration.Name, ID: e.id, Status: runSucceeded, Start: awsapi.Epoch(e.started), Updated: awsapi.Epoch(e.started), Mode: "SUPERSEDED"}
	done := 0
	for _, a := range actions {
		if time.Time(a.Updated).After(time.Time(v.Updated)) {
			v.Updated = a.Updated
		}
		switch a.Status {
		case runFailed:
			v.Status = runFailed
		case runSucceeded:
			done++
		}
		if a.Name == e.pipeline.source.action && a.Status == runSucceeded {
			v.Revisions = []sourceRevision{{Action: a.Name, ID: e.version, Summary: e.sourceSummary()}}
		}
	}
	total := 0
	for _, s := range e.pipeline.declaration.Stages {
		total += len(s.Actions)
	}
	switch {
	case !e.stopped.IsZero():
		v.Status, v.Summary, v.Updated = runStopped, e.reason, awsapi.Epoch(e.stopped)
	case v.Status != runFailed && done < total:
		v.Status = runInProgress
	}
	return v
}
