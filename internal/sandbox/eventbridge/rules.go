// Package eventbridge is a stand-in for Amazon EventBridge, as far as the rules of
// the default event bus and their targets go.
package eventbridge

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"slipway/internal/sandbox/awsapi"
)

// Rules are the rules of an account in all regions. They are kept and listed,
// nothing more: no rule ever sends an event.
type Rules struct {
	account string

	mu    sync.Mutex
	rules map[key]*rule
}

// New returns an account without rules.
func New(account string) *Rules {
	return &Rules{account: account, rules: map[key]*rule{}}
}

// Service returns the API of EventBridge. Names of fields, limits and errors are
// those of its API reference, version 2015-10-07.
func (s *Rules) Service() awsapi.Service {
	return awsapi.Service{
		Name:      "events",
		Prefix:    "AWSEvents",
		Reference: namedRule,
		Actions: map[string]awsapi.Action{
			"PutRule":           awsapi.NewAction(s.putRule),
			"PutTargets":        awsapi.NewAction(s.putTargets),
			"ListRules":         awsapi.NewAction(s.listRules),
			"ListTargetsByRule": awsapi.NewAction(s.listTargets),
		},
	}
}

type key struct{ region, name string }

type rule struct {
	Name, Arn, State, EventBusName string
	ScheduleExpression             string `json:",omitempty"`
	EventPattern                   string `json:",omitempty"`
	Description                    string `json:",omitempty"`
	RoleArn                        string `json:",omitempty"`

	targets map[string]target // by their ids
}

// target is a target as it was put.
type target map[string]json.RawMessage

// defaultBus is the event bus that every account has.
const defaultBus = "default"

// Limits of EventBridge: targets of a rule ("Amazon EventBridge quotas" in its user
// guide), and entries of a page (API reference).
const (
	maxTargets = 5
	maxPage    = 100
)

var namePattern = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)

func notValid(format string, args ...any) *awsapi.Error {
	return awsapi.Errorf("ValidationException", format, args...)
}

func notFound(format string, args ...any) *awsapi.Error {
	return awsapi.Errorf("ResourceNotFoundException", format, args...)
}

func checkBus(name string) error {
	if cmp.Or(name, defaultBus) != defaultBus {
		return notFound("Event bus %s does not exist.", name)
	}
	return nil
}

type putRuleIn struct {
	Name, State, EventBusName, ScheduleExpression, EventPattern, Description, RoleArn string
}

type putRuleOut struct{ RuleArn string }

// putRule makes a rule, or replaces all of an existing one but its targets.
func (s *Rules) putRule(c awsapi.Call, in putRuleIn) (out putRuleOut, err error) {
	if err := checkBus(in.EventBusName); err != nil {
		return out, err
	}
	switch {
	case !namePattern.MatchString(in.Name):
		return out, notValid("1 validation error detected: Value '%s' at 'name' failed to satisfy constraint", in.Name)
	case in.ScheduleExpression == "" && in.EventPattern == "":
		return out, notValid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
	case in.State != "" && in.State != "ENABLED" && in.State != "DISABLED":
		return out, notValid("1 validation error detected: Value '%s' at 'state' failed to satisfy constraint", in.State)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &rule{
		Name: in.Name, State: cmp.Or(in.State, "ENABLED"), EventBusName: defaultBus,
		Arn:                fmt.Sprintf("arn:%s:events:%s:%s:rule/%s", awsapi.Partition(c.Region), c.Region, s.account, in.Name),
		ScheduleExpression: in.ScheduleExpression, EventPattern: in.EventPattern, Description: in.Description, RoleArn: in.RoleArn,
		targets: map[string]target{},
	}
	if old := s.rules[key{c.Region, in.Name}]; old != nil {
		r.targets = old.targets
	}
	s.rules[key{c.Region, in.Name}] = r
	return putRuleOut{r.Arn}, nil
}

type putTargetsIn struct {
	Rule, EventBusName string
	Targets            []target
}

type putTargetsOut struct {
	FailedEntryCount int
	FailedEntries    []struct{}
}

// putTargets adds targets to a rule, or replaces those of the same ids.
func (s *Rules) putTargets(c awsapi.Call, in putTargetsIn) (out putTargetsOut, err error) {
	out.FailedEntries = []struct{}{}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.rule(c.Region, in.EventBusName, in.Rule)
	if err != nil {
		return out, err
	}
	targets := maps.Clone(r.targets)
	for _, t := range in.Targets {
		if t.text("Id") == "" || t.text("Arn") == "" {
			return out, notValid("Id and Arn are required for each target.")
		}
		targets[t.text("Id")] = t
	}
	if len(targets) > maxTargets {
		return out, awsapi.NewError("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
	}
	r.targets = targets
	return out, nil
}

// text returns a field of a target that is a string.
func (t target) text(field string) (out string) {
	_ = json.Unmarshal(t[field], &out) // another kind of value counts as none
	return out
}

// rule returns a rule by its name. The caller holds mu.
func (s *Rules) rule(region, bus, name string) (*rule, error) {
	if err := checkBus(bus); err != nil {
		return nil, err
	}
	r := s.rules[key{region, name}]
	if r == nil {
		return nil, notFound("Rule %s does not exist on EventBus default.", name)
	}
	return r, nil
}

type listIn struct {
	EventBusName, NamePrefix, Rule, NextToken string
	Limit                                     *int
}

// page returns a page of a sorted list.
func page[T any](in listIn, sorted []T, name func(T) string) (part []T, next string, err error) {
	limit := maxPage
	part, next, err = awsapi.Page(awsapi.Paging{MaxResults: cmp.Or(in.Limit, &limit), NextToken: in.NextToken}, limit, sorted, name)
	if err != nil {
		return nil, "", notValid("Limit or NextToken: %v", err)
	}
	return part, next, nil
}

type listRulesOut struct {
	Rules     []rule
	NextToken string `json:",omitempty"`
}

func (s *Rules) listRules(c awsapi.Call, in listIn) (out listRulesOut, err error) {
	if err := checkBus(in.EventBusName); err != nil {
		return out, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	rules := []rule{}
	for at, r := range s.rules {
		if at.region == c.Region && strings.HasPrefix(r.Name, in.NamePrefix) {
			rules = append(rules, *r)
		}
	}
	slices.SortFunc(rules, func(a, b rule) int { return cmp.Compare(a.Name, b.Name) })
	out.Rules, out.NextToken, err = page(in, rules, func(r rule) string { return r.Name })
	return out, err
}

type listTargetsOut struct {
	Targets   []target
	NextToken string `json:",omitempty"`
}

func (s *Rules) listTargets(c awsapi.Call, in listIn) (out listTargetsOut, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.rule(c.Region, in.EventBusName, in.Rule)
	if err != nil {
		return out, err
	}
	targets := []target{}
	for _, id := range slices.Sorted(maps.Keys(r.targets)) {
		targets = append(targets, r.targets[id])
	}
	out.Targets, out.NextToken, err = page(in, targets, func(t target) string { return t.text("Id") })
	return out, err
}

// namedRule returns the rule that a request names.
func namedRule(body []byte) string {
	var in struct{ Name, Rule string }
	_ = json.Unmarshal(body, &in) // the action complains about bad JSON
	return cmp.Or(in.Rule, in.Name)
}
