package template

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"slipway/internal/sandbox/awsapi"
	"slipway/internal/sandbox/cloudformation/resource"
)

// Scope is the surroundings of a template.
type Scope struct {
	resource.Stack
	// StackID is the ARN of the stack.
	StackID string
	// Parameters are the values of all parameters, as Template.Values returns them.
	Parameters map[string]string
	// Export returns the value of an export of another stack, and reports whether it
	// exists.
	Export func(name string) (string, bool)
}

// Resource is a resource whose condition holds.
type Resource struct {
	LogicalID, Type string
	resource.Identity
	// Properties have no functions any more. Numbers and booleans are strings.
	Properties map[string]any
}

// Output is an output whose condition holds. Export is the name of its export, empty
// without one.
type Output struct{ Name, Value, Export string }

// Result has the resources and the outputs of a stack, sorted by names.
type Result struct {
	Resources []Resource
	Outputs   []Output
}

// ErrNoExport is the error for an import that no stack exports.
type ErrNoExport string

func (e ErrNoExport) Error() string { return fmt.Sprintf("No export named %s found", string(e)) }

// Evaluate returns the resources and the outputs of a stack. The error has
// CloudFormation's text, ErrNoExport for an import that no stack exports.
func (t *Template) Evaluate(s Scope) (Result, error) {
	e := &evaluation{Template: t, Scope: s, held: map[string]bool{}, made: map[string]Resource{}, underway: map[string]bool{}}
	if err := e.checkRules(); err != nil {
		return Result{}, err
	}
	var out Result
	for _, name := range slices.Sorted(maps.Keys(t.resources)) {
		holds, err := e.holds(t.resources[name].condition)
		if err != nil {
			return out, err
		}
		if !holds {
			continue
		}
		r, err := e.resource(name)
		if err != nil {
			return out, err
		}
		out.Resources = append(out.Resources, r)
	}
	var err error
	out.Outputs, err = e.outputsOf()
	return out, err
}

// evaluation is an evaluation of a template.
type evaluation struct {
	*Template
	Scope
	held map[string]bool // conditions that were evaluated
	made map[string]Resource
	// underway are the resources and conditions whose evaluation has begun.
	underway map[string]bool
}

// enter fails if the evaluation of a part needs the part itself.
func (e *evaluation) enter(part string) error {
	if e.underway[part] {
		return errorf("Template error: circular dependency between parts: [%s]", list(slices.Collect(maps.Keys(e.underway))))
	}
	e.underway[part] = true
	return nil
}

func (e *evaluation) leave(part string) { delete(e.underway, part) }

// checkRules fails if an assertion of a rule does not hold.
func (e *evaluation) checkRules() error {
	for _, name := range slices.Sorted(maps.Keys(e.rules)) {
		rule := object(e.rules[name])
		if condition, ok := rule["RuleCondition"]; ok {
			if applies, err := e.truth(condition); err != nil || !applies {
				if err != nil {
					return err
				}
				continue
			}
		}
		assertions, _ := rule["Assertions"].([]any)
		for _, a := range assertions {
			if holds, err := e.truth(object(a)["Assert"]); err != nil {
				return err
			} else if !holds {
				return errorf("Template validation error: rule %s: %s", name, text(object(a)["AssertDescription"]))
			}
		}
	}
	return nil
}

// outputsOf returns the outputs whose conditions hold.
func (e *evaluation) outputsOf() ([]Output, error) {
	var out []Output
	for _, name := range slices.Sorted(maps.Keys(e.outputs)) {
		entry := object(e.outputs[name])
		holds, err := e.holds(text(entry["Condition"]))
		if err != nil {
			return nil, err
		}
		if !holds {
			continue
		}
		o := Output{Name: name}
		if o.Value, err = e.text(entry["Value"]); err != nil {
			return nil, fmt.Errorf("%w (output %s)", err, name)
		}
		if export, ok := entry["Export"]; ok {
			if o.Export, err = e.text(object(export)["Name"]); err != nil {
				return nil, fmt.Errorf("%w (export of output %s)", err, name)
			}
		}
		out = append(out, o)
	}
	return out, nil
}

// holds reports whether a condition holds, by its name. No condition holds always.
func (e *evaluation) holds(name string) (bool, error) {
	if name == "" {
		return true, nil
	}
	if held, ok := e.held[name]; ok {
		return held, nil
	}
	condition, ok := e.conditions[name]
	if !ok {
		return false, errorf("Template format error: Unresolved condition dependency %s", name)
	}
	if err := e.enter("condition " + name); err != nil {
		return false, err
	}
	defer e.leave("condition " + name)
	held, err := e.truth(condition)
	e.held[name] = held
	return held, err
}

// truth returns the value of a condition.
func (e *evaluation) truth(v any) (bool, error) {
	if name, ok := object(v)["Condition"].(string); ok {
		return e.holds(name)
	}
	v, err := e.value(v)
	if err != nil {
		return false, err
	}
	switch v {
	case true, "true":
		return true, nil
	case false, "false":
		return false, nil
	}
	return false, errorf("Template error: a condition is %v, want a function such as Fn::Equals", v)
}

// resource returns a resource whose condition holds.
func (e *evaluation) resource(name string) (Resource, error) {
	if r, ok := e.made[name]; ok {
		return r, nil
	}
	if err := e.enter("resource " + name); err != nil {
		return Resource{}, err
	}
	defer e.leave("resource " + name)
	d := e.resources[name]
	properties, err := e.value(d.properties)
	if err != nil {
		return Resource{}, err
	}
	r := Resource{LogicalID: name, Type: d.kind, Properties: object(properties)}
	r.Identity, err = resource.Identify(e.Stack, name, d.kind, r.Properties)
	e.made[name] = r
	return r, err
}

// find returns the resource that a function refers to.
func (e *evaluation) find(name string) (Resource, error) {
	d, ok := e.resources[name]
	if ok {
		holds, err := e.holds(d.condition)
		if err != nil {
			return Resource{}, err
		}
		ok = holds
	}
	if !ok {
		return Resource{}, errorf("Template format error: Unresolved resource dependencies [%s] in the Resources block of the template", name)
	}
	return e.resource(name)
}

// noValue is the value of AWS::NoValue, which removes its property or entry.
type noValue struct{}

// ref returns the value of a parameter, a pseudo parameter or a resource.
func (e *evaluation) ref(name string) (any, error) {
	pseudo := map[string]any{
		"AWS::AccountId": e.Account, "AWS::Region": e.Region, "AWS::Partition": awsapi.Partition(e.Region), "AWS::URLSuffix": "amazonaws.com",
		"AWS::StackName": e.Name, "AWS::StackId": e.StackID, "AWS::NoValue": noValue{},
	}
	if v, ok := pseudo[name]; ok {
		return v, nil
	}
	p, ok := e.parameters[name]
	switch {
	case !ok:
		r, err := e.find(name)
		return r.ID, err
	case p.kind != "CommaDelimitedList":
		return e.Scope.Parameters[name], nil
	}
	var out []any
	for entry := range strings.SplitSeq(e.Scope.Parameters[name], ",") {
		out = append(out, strings.TrimSpace(entry))
	}
	return out, nil
}
