// Package scheduler is a stand-in for Amazon EventBridge Scheduler.
package scheduler

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"slipway/internal/sandbox/awsapi"
)

// Schedules are the schedules of an account in all regions. They are kept and
// listed, nothing more: no schedule ever invokes its target.
type Schedules struct {
	account string
	clock   *awsapi.Clock

	mu        sync.Mutex
	groups    map[key]bool // those besides the default one, without a name
	schedules map[key]*schedule
}

// New returns an account without schedules.
func New(account string, c *awsapi.Clock) *Schedules {
	return &Schedules{account: account, clock: c, groups: map[key]bool{}, schedules: map[key]*schedule{}}
}

// Service returns the API of EventBridge Scheduler, whose requests Request reads.
// Names of fields, limits and errors are those of its API reference, version
// 2021-06-30.
func (s *Schedules) Service() awsapi.Service {
	return awsapi.Service{
		Name:      Name,
		Reference: namedSchedule,
		Actions: map[string]awsapi.Action{
			"CreateScheduleGroup": awsapi.NewAction(s.createGroup),
			"CreateSchedule":      awsapi.NewAction(s.create),
			"GetSchedule":         awsapi.NewAction(s.get),
			"ListSchedules":       awsapi.NewAction(s.list),
		},
	}
}

type key struct{ region, group, name string }

type schedule struct {
	Name, GroupName, Arn, State string
	ScheduleExpression          string
	FlexibleTimeWindow, Target  json.RawMessage
	CreationDate                awsapi.Epoch
	LastModificationDate        awsapi.Epoch
	Description                 string `json:",omitempty"`
	ScheduleExpressionTimezone  string `json:",omitempty"`
}

// defaultGroup is the group that every account has.
const defaultGroup = "default"

// maxPage is the most, and the default, of one answer.
const maxPage = 100

var namePattern = regexp.MustCompile(`^[0-9a-zA-Z\-_.]{1,64}$`)

func notValid(format string, args ...any) *awsapi.Error {
	return awsapi.Errorf("ValidationException", format, args...)
}

func notFound(kind, name string) *awsapi.Error {
	return awsapi.Errorf("ResourceNotFoundException", "%s %s does not exist.", kind, name)
}

func conflict(kind, name string) *awsapi.Error {
	return awsapi.Errorf("ConflictException", "%s %s already exists.", kind, name)
}

func (s *Schedules) arn(region, resource string) string {
	return fmt.Sprintf("arn:%s:scheduler:%s:%s:%s", awsapi.Partition(region), region, s.account, resource)
}

type groupIn struct{ Name string }

type groupOut struct{ ScheduleGroupArn string }

func (s *Schedules) createGroup(c awsapi.Call, in groupIn) (out groupOut, err error) {
	if !namePattern.MatchString(in.Name) {
		return out, notValid("Invalid schedule group name %q.", in.Name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := key{region: c.Region, group: in.Name}
	if in.Name == defaultGroup || s.groups[at] {
		return out, conflict("Schedule group", in.Name)
	}
	s.groups[at] = true
	return groupOut{s.arn(c.Region, "schedule-group/"+in.Name)}, nil
}

type createIn struct {
	Name, GroupName, State, ScheduleExpression, ScheduleExpressionTimezone, Description string
	FlexibleTimeWindow, Target                                                          json.RawMessage
}

func (in createIn) check() error {
	var target struct{ Arn, RoleArn string }
	if err := json.Unmarshal(in.Target, &target); err != nil {
		return notValid("Target: %v", err)
	}
	switch {
	case !namePattern.MatchString(in.Name):
		return notValid("Invalid schedule name %q.", in.Name)
	case in.ScheduleExpression == "" || in.FlexibleTimeWindow == nil:
		return notValid("ScheduleExpression and FlexibleTimeWindow are required.")
	case target.Arn == "" || target.RoleArn == "":
		return notValid("Target needs Arn and RoleArn.")
	case in.State != "" && in.State != "ENABLED" && in.State != "DISABLED":
		return notValid("Invalid state %q.", in.State)
	}
	return nil
}

type createOut struct{ ScheduleArn string }

func (s *Schedules) create(c awsapi.Call, in createIn) (out createOut, err error) {
	if err := in.check(); err != nil {
		return out, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	group := cmp.Or(in.GroupName, defaultGroup)
	at := key{c.Region, group, in.Name}
	switch {
	case group != defaultGroup && !s.groups[key{region: c.Region, group: group}]:
		return out, notFound("Schedule group", group)
	case s.schedules[at] != nil:
		return out, conflict("Schedule", in.Name)
	}
	now := awsapi.Epoch(s.clock.Now())
	s.schedules[at] = &schedule{
		Name: in.Name, GroupName: group, Arn: s.arn(c.Region, "schedule/"+group+"/"+in.Name), State: cmp.Or(in.State, "ENABLED"),
		ScheduleExpression: in.ScheduleExpression, FlexibleTimeWindow: in.FlexibleTimeWindow, Target: in.Target,
		CreationDate: now, LastModificationDate: now, Description: in.Description, ScheduleExpressionTimezone: in.ScheduleExpressionTimezone,
	}
	return createOut{s.schedules[at].Arn}, nil
}

type getIn struct{ Name, GroupName string }

func (s *Schedules) get(c awsapi.Call, in getIn) (out schedule, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.schedules[key{c.Region, cmp.Or(in.GroupName, defaultGroup), in.Name}]
	if found == nil {
		return out, notFound("Schedule", in.Name)
	}
	return *found, nil
}

type listIn struct {
	awsapi.Paging
	GroupName, NamePrefix, State string
}

type listOut struct {
	Schedules []summary
	NextToken string `json:",omitempty"`
}

// summary is a schedule in a list, which has no parameters of the target.
type summary struct {
	Name, GroupName, Arn, State        string
	CreationDate, LastModificationDate awsapi.Epoch
	Target                             struct{ Arn string }
}

func (s *Schedules) list(c awsapi.Call, in listIn) (out listOut, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []summary{}
	for at, x := range s.schedules {
		if at.region != c.Region || !in.matches(x) {
			continue
		}
		entry := summary{
			Name: x.Name, GroupName: x.GroupName, Arn: x.Arn, State: x.State,
			CreationDate: x.CreationDate, LastModificationDate: x.LastModificationDate,
		}
		_ = json.Unmarshal(x.Target, &entry.Target) // checked when it was created
		found = append(found, entry)
	}
	slices.SortFunc(found, func(a, b summary) int { return cmp.Compare(a.Arn, b.Arn) })
	limit := maxPage
	in.MaxResults = cmp.Or(in.MaxResults, &limit)
	out.Schedules, out.NextToken, err = awsapi.Page(in.Paging, limit, found, func(x summary) string { return x.Arn })
	if err != nil {
		return out, notValid("MaxResults or NextToken: %v", err)
	}
	return out, nil
}

func (in listIn) matches(x *schedule) bool {
	return (in.GroupName == "" || in.GroupName == x.GroupName) && strings.HasPrefix(x.Name, in.NamePrefix) && (in.State == "" || in.State == x.State)
}

// namedSchedule returns the schedule that a request names.
func namedSchedule(body []byte) string {
	var in struct{ Name string }
	_ = json.Unmarshal(body, &in) // the action complains about bad JSON
	return in.Name
}
