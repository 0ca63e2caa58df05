// Package codepipeline is a stand-in for AWS CodePipeline, for pipelines with one
// source, on S3 or, through a connection, in a git repository.
//
// Actions do no work of their own: each takes a time and ends as
// [Pipelines.SetAction] has it, or runs a function. A new version of the source's
// object starts an execution when the next request reads the pipeline, as with a
// pipeline that polls; a commit does when [Pipelines.Push] is called.
package codepipeline

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"sync"
	"time"

	"slipway/internal/sandbox/awsapi"
)

// Service returns the CodePipeline API. Names of fields, limits and errors are
// those of its API reference, version 2015-07-09.
func (p *Pipelines) Service() awsapi.Service {
	return awsapi.Service{
		Name:      "codepipeline",
		Prefix:    "CodePipeline_20150709",
		Reference: reference,
		Actions: map[string]awsapi.Action{
			"CreatePipeline":         awsapi.NewAction(p.create),
			"ListPipelineExecutions": awsapi.NewAction(p.listExecutions),
			"GetPipelineExecution":   awsapi.NewAction(p.getExecution),
			"ListActionExecutions":   awsapi.NewAction(p.listActions),
			"StopPipelineExecution":  awsapi.NewAction(p.stop),
		},
	}
}

// Action is the outcome of an action of a pipeline.
type Action struct {
	// Takes is the time that the action takes on the server's clock; 200 ms if
	// 0.
	Takes time.Duration
	// Error, if not empty, is the message with which it fails.
	Error string
	// Run, if not nil, is the action's work. It starts when the actions before
	// it have succeeded, and its error is the message with which the action
	// fails. Takes and Error are not used then.
	Run func(Work) error
	// Summary and URL are those of the action's execution.
	Summary, URL string
}

// Work is the execution that an action belongs to.
type Work struct {
	ExecutionID string
	// Version is that of the source's object, or the commit.
	Version string
}

// objects are the objects on S3 that are the sources of pipelines.
type objects interface {
	// ObjectVersion returns the current version of an object, "" if there is
	// none.
	ObjectVersion(bucket, key string) string
}

// Pipelines are the pipelines of an account in all regions.
type Pipelines struct {
	account string
	clock   *awsapi.Clock
	objects objects

	mu       sync.Mutex
	all      map[pipelineKey]*pipeline
	outcomes map[actionKey]Action
}

type (
	pipelineKey struct{ region, name string }
	actionKey   struct{ pipeline, action string }
)

// New returns an account without pipelines.
func New(account string, c *awsapi.Clock, o objects) *Pipelines {
	return &Pipelines{
		account: account, clock: c, objects: o,
		all: map[pipelineKey]*pipeline{}, outcomes: map[actionKey]Action{},
	}
}

// SetAction sets the outcome of an action in executions that start from now on.
// Neither the pipeline nor the action has to exist yet.
func (p *Pipelines) SetAction(pipeline, action string, a Action) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.outcomes[actionKey{pipeline, action}] = a
}

type pipeline struct {
	declaration declaration
	source      source
	version     string       // of the source's object, at the last look
	executions  []*execution // oldest first
}

type declaration struct {
	Name    string  `json:"name"`
	RoleARN string  `json:"roleArn"`
	Version int     `json:"version"`
	Stages  []stage `json:"stages"`
}

type stage struct {
	Name    string              `json:"name"`
	Actions []actionDeclaration `json:"actions"`
}

type actionDeclaration struct {
	Name          string            `json:"name"`
	ActionTypeID  actionType        `json:"actionTypeId"`
	RunOrder      int               `json:"runOrder"`
	Configuration map[string]string `json:"configuration,omitempty"`
}

type actionType struct {
	Category string `json:"category"`
	Owner    string `json:"owner"`
	Provider string `json:"provider"`
	Version  string `json:"version"`
}

type createInOut struct {
	Pipeline declaration `json:"pipeline"`
}

// create accepts a pipeline whose first stage has one action, a source.
func (p *Pipelines) create(c awsapi.Call, in createInOut) (*createInOut, error) {
	d := in.Pipeline
	if d.Name == "" || d.RoleARN == "" || len(d.Stages) < 2 {
		return nil, awsapi.NewError("InvalidStructureException",
			"Pipeline should have a name, a role and at least 2 stages")
	}
	first := d.Stages[0].Actions
	if len(first) != 1 || first[0].ActionTypeID.Category != "Source" {
		return nil, awsapi.NewError("InvalidStructureException",
			"the sandbox wants one source as the only action of the first stage")
	}
	source, err := sourceOf(first[0])
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	key := pipelineKey{c.Region, d.Name}
	if p.all[key] != nil {
		return nil, awsapi.Errorf("PipelineNameInUseException",
			"A pipeline with the name '%s' already exists in account '%s'", d.Name, p.account)
	}
	d.Version = 1
	p.all[key] = &pipeline{declaration: d, source: source}
	return &createInOut{d}, nil
}

// pipeline finds a pipeline and starts an execution if its object has changed.
// The caller holds mu.
func (p *Pipelines) pipeline(c awsapi.Call, name string) (*pipeline, error) {
	found := p.all[pipelineKey{c.Region, name}]
	if found == nil {
		return nil, awsapi.Errorf("PipelineNotFoundException", "Account '%s' does not have a pipeline with name '%s'",
			p.account, name)
	}
	if found.source.repository != "" {
		return found, nil
	}
	if v := p.objects.ObjectVersion(found.source.bucket, found.source.key); v != "" && v != found.version {
		found.version = v
		p.execute(found, v)
	}
	return found, nil
}

type pagedIn struct {
	PipelineName string `json:"pipelineName"`
	MaxResults   *int   `json:"maxResults"`
	NextToken    string `json:"nextToken"`
}

// pageOf returns a page of a list and the token for the next one. A page has at
// most 100 entries, the limit of the API reference.
func pageOf[T any](all []T, in pagedIn) ([]T, string, error) {
	size := 100
	if in.MaxResults != nil {
		size = *in.MaxResults
	}
	if size < 1 || size > 100 {
		return nil, "", awsapi.Errorf("ValidationException",
			"1 validation error detected: Value '%d' at 'maxResults' failed to satisfy constraint: Member must be between 1 and 100", size)
	}
	from := 0
	if in.NextToken != "" {
		raw, err := base64.RawURLEncoding.DecodeString(in.NextToken)
		if err == nil {
			from, err = strconv.Atoi(string(raw))
		}
		if err != nil || from < 0 || from > len(all) {
			return nil, "", awsapi.NewError("InvalidNextTokenException",
				"The next token was specified in an invalid format")
		}
	}
	to := min(from+size, len(all))
	if to == len(all) {
		return all[from:to], "", nil
	}
	return all[from:to], base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(to))), nil
}

type executionsOut struct {
	Summaries []executionView `json:"pipelineExecutionSummaries"`
	NextToken string          `json:"nextToken,omitempty"`
}

func (p *Pipelines) listExecutions(c awsapi.Call, in pagedIn) (*executionsOut, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, err := p.pipeline(c, in.PipelineName)
	if err != nil {
		return nil, err
	}
	views := []executionView{}
	for _, e := range slices.Backward(found.executions) {
		views = append(views, e.view(p.clock.Now()))
	}
	page, next, err := pageOf(views, in)
	return &executionsOut{page, next}, err
}

type executionIn struct {
	PipelineName string `json:"pipelineName"`
	ID           string `json:"pipelineExecutionId"`
	Abandon      bool   `json:"abandon"`
	Reason       string `json:"reason"`
}

func (p *Pipelines) execution(c awsapi.Call, in executionIn) (*execution, error) {
	found, err := p.pipeline(c, in.PipelineName)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(found.executions, func(e *execution) bool { return e.id == in.ID })
	if i < 0 {
		return nil, awsapi.Errorf("PipelineExecutionNotFoundException",
			"Pipeline execution '%s' was not found for pipeline '%s'", in.ID, in.PipelineName)
	}
	return found.executions[i], nil
}

type executionOut struct {
	Execution executionView `json:"pipelineExecution"`
}

func (p *Pipelines) getExecution(c awsapi.Call, in executionIn) (*executionOut, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, err := p.execution(c, in)
	if err != nil {
		return nil, err
	}
	view := e.view(p.clock.Now())
	view.Artifacts, view.Revisions = view.Revisions, nil
	for i := range view.Artifacts {
		view.Artifacts[i].Name, view.Artifacts[i].Action = "SourceArtifact", ""
	}
	return &executionOut{view}, nil
}

type stopOut struct {
	ID string `json:"pipelineExecutionId"`
}

// stop ends an execution at once, whether or not the request asks to abandon
// the actions under way.
func (p *Pipelines) stop(c awsapi.Call, in executionIn) (*stopOut, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, err := p.execution(c, in)
	if err != nil {
		return nil, err
	}
	now := p.clock.Now()
	if status := e.view(now).Status; status != runInProgress {
		return nil, awsapi.Errorf("PipelineExecutionNotStoppableException",
			"The pipeline execution %s is %s and cannot be stopped", e.id, status)
	}
	e.stopped, e.reason = now, cmp.Or(in.Reason, "Stopped by the user")
	return &stopOut{e.id}, nil
}

type actionsIn struct {
	pagedIn
	Filter struct {
		ID string `json:"pipelineExecutionId"`
	} `json:"filter"`
}

type actionsOut struct {
	Details   []actionView `json:"actionExecutionDetails"`
	NextToken string       `json:"nextToken,omitempty"`
}

func (p *Pipelines) listActions(c awsapi.Call, in actionsIn) (*actionsOut, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, err := p.pipeline(c, in.PipelineName)
	if err != nil {
		return nil, err
	}
	views := []actionView{}
	for _, e := range slices.Backward(found.executions) {
		if in.Filter.ID == "" || in.Filter.ID == e.id {
			actions := e.actions(p.clock.Now())
			slices.Reverse(actions)
			views = append(views, actions...)
		}
	}
	page, next, err := pageOf(views, in.pagedIn)
	return &actionsOut{page, next}, err
}

// reference returns the pipeline that a request names.
func reference(body []byte) string {
	var in struct{ PipelineName string }
	_ = json.Unmarshal(body, &in) // the action complains about bad JSON
	return in.PipelineName
}
