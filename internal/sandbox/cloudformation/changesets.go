package cloudformation

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"slipway/internal/sandbox/awsapi"
	"slipway/internal/sandbox/cloudformation/resource"
	"slipway/internal/sandbox/cloudformation/template"
)

// noChanges is the reason of a change set that changes nothing.
const noChanges = "The submitted information didn't contain changes. Submit different information to create a change set."

// changeSet is a change set. Its fields are those of DescribeChangeSet in the API
// reference.
type changeSet struct {
	id, name, stack string
	status, reason  string
	executed        bool
	// next is the stack after the change, resources what it has then.
	next      planted
	resources []template.Resource
}

// refusal is an error of the API, with its code.
type refusal struct{ code, message string }

func (r *refusal) Error() string { return r.message }

func invalid(format string, args ...any) error {
	return &refusal{"ValidationError", fmt.Sprintf(format, args...)}
}

// request is the request of CreateChangeSet.
type request struct {
	region, stack, name, kind, text string
	parameters                      []parameter
	capabilities                    []string
}

// parameter is a value of a parameter, or keeps the value of the stack.
type parameter struct {
	name, value string
	keep        bool
}

func newRequest(r *http.Request, region string) request {
	out := request{
		region: region, stack: r.Form.Get("StackName"), name: r.Form.Get("ChangeSetName"),
		kind: cmp.Or(r.Form.Get("ChangeSetType"), "UPDATE"), text: r.Form.Get("TemplateBody"),
		capabilities: awsapi.Members(r, "Capabilities"),
	}
	for i := 1; ; i++ {
		prefix := fmt.Sprintf("Parameters.member.%d.", i)
		if !r.Form.Has(prefix + "ParameterKey") {
			return out
		}
		out.parameters = append(out.parameters, parameter{
			r.Form.Get(prefix + "ParameterKey"), r.Form.Get(prefix + "ParameterValue"), r.Form.Get(prefix+"UsePreviousValue") == "true",
		})
	}
}

// createChangeSet evaluates a template. A new stack waits in REVIEW_IN_PROGRESS.
func (s *Stacks) createChangeSet(q request) (*changeSet, error) {
	now, err := s.before(q)
	if err != nil {
		return nil, err
	}
	t, err := template.Parse(q.text)
	if err != nil {
		return nil, invalid("%v", err)
	}
	if t.NeedsIAM() && !slices.Contains(q.capabilities, "CAPABILITY_IAM") && !slices.Contains(q.capabilities, "CAPABILITY_NAMED_IAM") {
		return nil, &refusal{"InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_IAM]"}
	}
	given, err := q.given(now)
	if err != nil {
		return nil, err
	}
	values, err := t.Values(given)
	if err != nil {
		return nil, invalid("%v", err)
	}
	c := &changeSet{name: q.name, stack: q.stack, status: "CREATE_COMPLETE", next: *now}
	c.next.text, c.next.values, c.next.shown = q.text, values, t.Shown(values)
	if err := s.evaluate(q, t, c); err != nil {
		return nil, err
	}
	if c.status == "CREATE_COMPLETE" && now.sameAs(c.next) {
		c.status, c.reason = "FAILED", noChanges
	}
	c.id = s.arn(q.region, "changeSet", q.name, fmt.Sprint("#", len(s.changeSets)))
	s.stacks[key{q.region, q.stack}] = now
	s.changeSets = append(s.changeSets, c)
	return c, nil
}

// before returns the stack before a change, one to be reviewed if it is new.
func (s *Stacks) before(q request) (*planted, error) {
	now, exists := s.stacks[key{q.region, q.stack}]
	review := exists && now.Status == "REVIEW_IN_PROGRESS"
	switch {
	case q.kind == "CREATE" && exists && !review:
		return nil, invalid("Stack [%s] already exists and cannot be created again with the changeSet [%s].", q.stack, q.name)
	case q.kind == "CREATE":
		return &planted{Stack: Stack{Status: "REVIEW_IN_PROGRESS"}, id: s.arn(q.region, "stack", q.stack, ""), created: s.clock.Now()}, nil
	case q.kind != "UPDATE":
		return nil, invalid("ChangeSetType %s is not known here", q.kind)
	case !exists || review:
		return nil, invalid("Stack [%s] does not exist", q.stack)
	case !slices.Contains([]string{"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}, now.Status):
		return nil, invalid("Stack:%s is in %s state and can not be updated.", now.id, now.Status)
	}
	return now, nil
}

// given returns the values of a request, those that the stack keeps included.
func (q request) given(now *planted) (map[string]string, error) {
	out := map[string]string{}
	for _, p := range q.parameters {
		value, known := now.values[p.name]
		switch {
		case !p.keep:
			out[p.name] = p.value
		case known:
			out[p.name] = value
		default:
			return nil, invalid("Invalid input for parameter key %s. Cannot specify usePreviousValue as true for a parameter key not in the previous template", p.name)
		}
	}
	return out, nil
}

// evaluate gives a change set its resources and outputs. Imports that no stack exports
// make it fail.
func (s *Stacks) evaluate(q request, t *template.Template, c *changeSet) error {
	c.next.imports = nil
	result, err := t.Evaluate(template.Scope{
		Stack: resource.Stack{Account: s.account, Region: q.region, Name: q.stack}, StackID: c.next.id, Parameters: c.next.values,
		Export: func(name string) (string, bool) {
			c.next.imports = append(c.next.imports, name)
			return s.export(q.region, q.stack, name)
		},
	})
	var missing template.ErrNoExport
	switch {
	case errors.As(err, &missing):
		c.status, c.reason = "FAILED", missing.Error()
		return nil
	case err != nil:
		return invalid("%v", err)
	}
	c.resources = result.Resources
	c.next.Outputs, c.next.exports = map[string]string{}, map[string]string{}
	for _, o := range result.Outputs {
		c.next.Outputs[o.Name] = o.Value
		if o.Export != "" {
			c.next.exports[o.Name] = o.Export
		}
	}
	return nil
}

// find returns a change set by its ARN, or by its name and its stack. The last one counts.
func (s *Stacks) find(name, stack string) (*changeSet, error) {
	for _, c := range slices.Backward(s.changeSets) {
		if c.id == name || c.name == name && (c.stack == stack || c.next.id == stack) {
			return c, nil
		}
	}
	return nil, &refusal{"ChangeSetNotFound", fmt.Sprintf("ChangeSet [%s] does not exist", name)}
}

// execute makes the resources of a change set and changes the stack. A failure of these
// rolls the stack back.
func (s *Stacks) execute(region, name, stack string) error {
	c, err := s.find(name, stack)
	if err != nil {
		return err
	}
	if c.status != "CREATE_COMPLETE" || c.executed {
		return &refusal{"InvalidChangeSetStatus", fmt.Sprintf("ChangeSet [%s] cannot be executed in its current status of [%s]", c.id, c.status)}
	}
	c.executed = true
	now := s.stacks[key{region, c.stack}]
	next, failed := c.next, s.checkExports(region, c.stack, c.next)
	for _, r := range c.resources {
		if failed != nil {
			break
		}
		if err := s.make(region, r); err != nil {
			failed = fmt.Errorf("%s: %w", r.LogicalID, err)
		}
	}
	isNew := next.Status == "REVIEW_IN_PROGRESS"
	switch {
	case failed == nil && isNew:
		next.Status = "CREATE_COMPLETE"
	case failed == nil:
		next.Status = "UPDATE_COMPLETE"
	case isNew:
		next.Status, next.Outputs, next.exports = "ROLLBACK_COMPLETE", nil, nil
	default:
		next = *now
		next.Status = "UPDATE_ROLLBACK_COMPLETE"
	}
	next.reason = ""
	if failed != nil {
		next.reason = failed.Error()
	}
	s.stacks[key{region, c.stack}] = &next
	return nil
}
