package sandbox

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strconv"
	"sync"
	"time"
)

// newCodePipeline is the CodePipeline API as far as pipelines with one source go, on S3
// or, through a connection, in a git repository. Names of fields, limits and errors are
// those of its API reference, version 2015-07-09. Actions do no work of their own: each
// takes a time and ends as SetPipelineAction says, or does what it gives them to do. A new
// version of the source's object starts an execution when the pipeline is next looked at,
// as with a pipeline that polls; a commit when Push tells of it.
func newCodePipeline() jsonService {
	return jsonService{
		name:   "codepipeline",
		prefix: "CodePipeline_20150709",
		actions: map[string]jsonAction{
			"CreatePipeline":         action(createPipeline),
			"ListPipelineExecutions": action(listPipelineExecutions),
			"GetPipelineExecution":   action(getPipelineExecution),
			"ListActionExecutions":   action(listActionExecutions),
			"StopPipelineExecution":  action(stopPipelineExecution),
		},
	}
}

// PipelineAction is how an action of a pipeline goes.
type PipelineAction struct {
	// Takes is how long it takes on the server's clock; 200 ms if 0.
	Takes time.Duration
	// Error, if not empty, is the message with which it fails.
	Error string
	// Run, if not nil, is the action's work: it starts when the actions before it have
	// succeeded, and an error is the message with which it fails. Takes and Error are
	// not used then.
	Run func(PipelineWork) error
	// Summary and URL are what it says of itself and where more is to be read.
	Summary, URL string
}

// PipelineWork is the execution that an action belongs to.
type PipelineWork struct {
	ExecutionID string
	// Version is that of the source's object, or the commit.
	Version string
}

// SetPipelineAction says how an action goes in executions that start from now on. The
// names are those of the pipeline and its action; neither has to be there yet.
func (s *Server) SetPipelineAction(pipeline, action string, a PipelineAction) {
	s.pipelines.mu.Lock()
	defer s.pipelines.mu.Unlock()
	if s.pipelines.fates == nil {
		s.pipelines.fates = map[[2]string]PipelineAction{}
	}
	s.pipelines.fates[[2]string{pipeline, action}] = a
}

// codePipelines are those of all regions of the default account.
type codePipelines struct {
	mu    sync.Mutex
	all   map[[2]string]*codePipeline // by region and name
	fates map[[2]string]PipelineAction
}

type codePipeline struct {
	declaration pipelineDeclaration
	source      pipelineSource
	seen        string                   // the version of the object that was seen last
	executions  []*codePipelineExecution // oldest first
}

type pipelineDeclaration struct {
	Name    string          `json:"name"`
	RoleARN string          `json:"roleArn"`
	Version int             `json:"version"`
	Stages  []pipelineStage `json:"stages"`
}

type pipelineStage struct {
	Name    string               `json:"name"`
	Actions []pipelineActionDecl `json:"actions"`
}

type pipelineActionDecl struct {
	Name          string            `json:"name"`
	ActionTypeID  pipelineActionID  `json:"actionTypeId"`
	RunOrder      int               `json:"runOrder"`
	Configuration map[string]string `json:"configuration,omitempty"`
}

type pipelineActionID struct {
	Category string `json:"category"`
	Owner    string `json:"owner"`
	Provider string `json:"provider"`
	Version  string `json:"version"`
}

type pipelineInOut struct {
	Pipeline pipelineDeclaration `json:"pipeline"`
}

// createPipeline takes a pipeline whose first stage has one action, a source.
func createPipeline(c jsonCall, in pipelineInOut) (*pipelineInOut, error) {
	d := in.Pipeline
	if d.Name == "" || d.RoleARN == "" || len(d.Stages) < 2 {
		return nil, &apiError{"InvalidStructureException", "Pipeline should have a name, a role and at least 2 stages"}
	}
	first := d.Stages[0].Actions
	if len(first) != 1 || first[0].ActionTypeID.Category != "Source" {
		return nil, &apiError{"InvalidStructureException", "the sandbox wants one source as the only action of the first stage"}
	}
	source, err := sourceOf(first[0])
	if err != nil {
		return nil, err
	}
	all := &c.server.pipelines
	all.mu.Lock()
	defer all.mu.Unlock()
	key := [2]string{c.region, d.Name}
	if all.all[key] != nil {
		return nil, apiErrorf("PipelineNameInUseException", "A pipeline with the name '%s' already exists in account '%s'", d.Name, c.server.options.Account)
	}
	if all.all == nil {
		all.all = map[[2]string]*codePipeline{}
	}
	d.Version = 1
	all.all[key] = &codePipeline{declaration: d, source: source}
	return &pipelineInOut{d}, nil
}

// pipeline finds a pipeline and has it look at its source. The caller holds the lock.
func (c jsonCall) pipeline(name string) (*codePipeline, error) {
	p := c.server.pipelines.all[[2]string{c.region, name}]
	if p == nil {
		return nil, apiErrorf("PipelineNotFoundException", "Account '%s' does not have a pipeline with name '%s'", c.server.options.Account, name)
	}
	if p.source.repository != "" {
		return p, nil
	}
	if v := c.server.objectVersion(p.source.bucket, p.source.key); v != "" && v != p.seen {
		p.seen = v
		c.server.execute(p, v)
	}
	return p, nil
}

type pagedIn struct {
	PipelineName string `json:"pipelineName"`
	MaxResults   *int   `json:"maxResults"`
	NextToken    string `json:"nextToken"`
}

// pageOf cuts a page out of a list: at most 100 at once, as the API has it.
func pageOf[T any](all []T, in pagedIn) ([]T, string, error) {
	size := 100
	if in.MaxResults != nil {
		size = *in.MaxResults
	}
	if size < 1 || size > 100 {
		return nil, "", apiErrorf("ValidationException", "1 validation error detected: Value '%d' at 'maxResults' failed to satisfy constraint: Member must be between 1 and 100", size)
	}
	from := 0
	if in.NextToken != "" {
		raw, err := base64.RawURLEncoding.DecodeString(in.NextToken)
		if err == nil {
			from, err = strconv.Atoi(string(raw))
		}
		if err != nil || from < 0 || from > len(all) {
			return nil, "", &apiError{"InvalidNextTokenException", "The next token was specified in an invalid format"}
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

func listPipelineExecutions(c jsonCall, in pagedIn) (*executionsOut, error) {
	all := &c.server.pipelines
	all.mu.Lock()
	defer all.mu.Unlock()
	p, err := c.pipeline(in.PipelineName)
	if err != nil {
		return nil, err
	}
	views := []executionView{}
	for _, e := range slices.Backward(p.executions) {
		views = append(views, e.view(c.server.clock.Now()))
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

func (c jsonCall) execution(in executionIn) (*codePipelineExecution, error) {
	p, err := c.pipeline(in.PipelineName)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(p.executions, func(e *codePipelineExecution) bool { return e.id == in.ID })
	if i < 0 {
		return nil, apiErrorf("PipelineExecutionNotFoundException", "Pipeline execution '%s' was not found for pipeline '%s'", in.ID, in.PipelineName)
	}
	return p.executions[i], nil
}

type executionOut struct {
	Execution executionView `json:"pipelineExecution"`
}

func getPipelineExecution(c jsonCall, in executionIn) (*executionOut, error) {
	c.server.pipelines.mu.Lock()
	defer c.server.pipelines.mu.Unlock()
	e, err := c.execution(in)
	if err != nil {
		return nil, err
	}
	view := e.view(c.server.clock.Now())
	view.Artifacts, view.Revisions = view.Revisions, nil
	for i := range view.Artifacts {
		view.Artifacts[i].Name, view.Artifacts[i].Action = "SourceArtifact", ""
	}
	return &executionOut{view}, nil
}

type stopOut struct {
	ID string `json:"pipelineExecutionId"`
}

// stopPipelineExecution ends an execution at once, whether or not it is to abandon what
// is under way.
func stopPipelineExecution(c jsonCall, in executionIn) (*stopOut, error) {
	c.server.pipelines.mu.Lock()
	defer c.server.pipelines.mu.Unlock()
	e, err := c.execution(in)
	if err != nil {
		return nil, err
	}
	now := c.server.clock.Now()
	if status := e.view(now).Status; status != runInProgress {
		return nil, apiErrorf("PipelineExecutionNotStoppableException", "The pipeline execution %s is %s and cannot be stopped", e.id, status)
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

func listActionExecutions(c jsonCall, in actionsIn) (*actionsOut, error) {
	all := &c.server.pipelines
	all.mu.Lock()
	defer all.mu.Unlock()
	p, err := c.pipeline(in.PipelineName)
	if err != nil {
		return nil, err
	}
	views := []actionView{}
	for _, e := range slices.Backward(p.executions) {
		if in.Filter.ID == "" || in.Filter.ID == e.id {
			actions := e.actions(c.server.clock.Now())
			slices.Reverse(actions)
			views = append(views, actions...)
		}
	}
	page, next, err := pageOf(views, in.pagedIn)
	return &actionsOut{page, next}, err
}
