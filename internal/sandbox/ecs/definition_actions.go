package ecs

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"slipway/internal/sandbox/awsapi"
	"slipway/internal/sandbox/ecs/taglist"
	"slipway/internal/sandbox/ecs/taskdef"
)

type taskDefinitionOut struct {
	TaskDefinition object       `json:"taskDefinition"`
	Tags           taglist.List `json:"tags,omitempty"`
}

func registerTaskDefinition(e *region, in map[string]json.RawMessage) (out taskDefinitionOut, err error) {
	d := &taskDefinition{fields: map[string]json.RawMessage{}, registered: e.now()}
	if err := awsapi.DecodeFields(in, &d.Settings); err != nil {
		return out, err
	}
	var tagged struct {
		Tags taglist.List `json:"tags"`
	}
	if err := awsapi.DecodeFields(in, &tagged); err != nil {
		return out, err
	}
	if err := taskdef.Check(in, e.images.OfECR); err != nil {
		return out, err
	}
	if err := tagged.Tags.Check(); err != nil {
		return out, err
	}
	for name, v := range in {
		if name != "tags" && string(v) != "null" {
			d.fields[name] = v
		}
	}
	if err := taskdef.FillDefaults(d.fields); err != nil {
		return out, err
	}
	d.family, d.tags = d.Family, tagged.Tags
	e.enter(d)
	return taskDefinitionOut{d.describe(e), d.tags}, nil
}

// enter adds a task definition to its family, as the next revision.
func (e *region) enter(d *taskDefinition) {
	f := e.families[d.family]
	if f == nil {
		f = &taskFamily{name: d.family}
		e.families[d.family] = f
	}
	f.revisions = append(f.revisions, d)
	d.revision = len(f.revisions)
	d.arn = e.arn("task-definition", fmt.Sprintf("%s:%d", d.family, d.revision))
}

func (d *taskDefinition) describe(e *region) object {
	out := object{}
	for name, v := range d.fields {
		out[name] = v
	}
	out["taskDefinitionArn"] = d.arn
	out["family"] = d.family
	out["revision"] = d.revision
	out["status"] = d.status()
	out["registeredAt"] = awsapi.Stamp(d.registered)
	out["registeredBy"] = fmt.Sprintf("arn:%s:iam::%s:user/sandbox", awsapi.Partition(e.Region), e.Account)
	out["requiresAttributes"] = d.Attributes()
	out["compatibilities"] = []string{"EXTERNAL", "EC2"}
	if d.NetworkMode == "awsvpc" {
		out["compatibilities"] = []string{"EC2", "FARGATE"}
	}
	if !d.deregistered.IsZero() {
		out["deregisteredAt"] = awsapi.Stamp(d.deregistered)
	}
	return out
}

var revisionSuffix = regexp.MustCompile(`^(.+):([0-9]+)$`)

// definition returns a task definition by family (its newest ACTIVE revision),
// family:revision or ARN.
func (e *region) definition(id string) (*taskDefinition, error) {
	missing := clientError("Unable to describe task definition.")
	if strings.HasPrefix(id, "arn:") && !strings.HasPrefix(id, e.arn("task-definition", "")) {
		return nil, missing
	}
	id = lastPart(id)
	if m := revisionSuffix.FindStringSubmatch(id); m != nil {
		f := e.families[m[1]]
		n, err := strconv.Atoi(m[2])
		if f == nil || err != nil || n < 1 || n > len(f.revisions) {
			return nil, missing
		}
		return f.revisions[n-1], nil
	}
	if f := e.families[id]; f != nil {
		for _, d := range slices.Backward(f.revisions) {
			if d.deregistered.IsZero() {
				return d, nil
			}
		}
	}
	return nil, missing
}

// deployable returns a task definition that can be deployed: "You can't use an
// INACTIVE task definition to run new tasks or create new services, and you
// can't update an existing service to reference" one
// (DeregisterTaskDefinition's reference).
func (e *region) deployable(id string) (*taskDefinition, error) {
	d, err := e.definition(id)
	switch {
	case err != nil:
		return nil, clientError("TaskDefinition not found.")
	case !d.deregistered.IsZero():
		return nil, clientError("TaskDefinition is inactive")
	}
	return d, nil
}

type taskDefinitionIn struct {
	TaskDefinition string   `json:"taskDefinition"`
	Include        []string `json:"include"`
}

func describeTaskDefinition(e *region, in taskDefinitionIn) (out taskDefinitionOut, err error) {
	d, err := e.definition(in.TaskDefinition)
	if err != nil {
		return out, err
	}
	out.TaskDefinition = d.describe(e)
	if slices.Contains(in.Include, "TAGS") {
		out.Tags = d.tags.All()
	}
	return out, nil
}

func deregisterTaskDefinition(e *region, in taskDefinitionIn) (out taskDefinitionOut, err error) {
	if revisionSuffix.FindString(lastPart(in.TaskDefinition)) == "" {
		return out, parameterError("Invalid revision number. Number: %s", in.TaskDefinition)
	}
	d, err := e.definition(in.TaskDefinition)
	if err != nil {
		return out, clientError("The specified task definition does not exist.")
	}
	if d.deregistered.IsZero() {
		d.deregistered = e.now()
	}
	out.TaskDefinition = d.describe(e)
	return out, nil
}

type listTaskDefinitionsIn struct {
	awsapi.Paging
	FamilyPrefix string `json:"familyPrefix"`
	Status       string `json:"status"`
	Sort         string `json:"sort"`
}

type listTaskDefinitionsOut struct {
	TaskDefinitionArns []string `json:"taskDefinitionArns"`
	NextToken          string   `json:"nextToken,omitempty"`
}

// listTaskDefinitions sorts by family and revision. By the reference,
// FamilyPrefix is the whole name of a family, despite its own name.
func listTaskDefinitions(e *region, in listTaskDefinitionsIn) (listTaskDefinitionsOut, error) {
	out := listTaskDefinitionsOut{TaskDefinitionArns: []string{}}
	var found []*taskDefinition
	for _, f := range e.families {
		for _, d := range f.revisions {
			if (in.FamilyPrefix == "" || in.FamilyPrefix == f.name) && d.status() == cmp.Or(in.Status, "ACTIVE") {
				found = append(found, d)
			}
		}
	}
	key := func(d *taskDefinition) string { return fmt.Sprintf("%s:%09d", d.family, d.revision) }
	if in.Sort == "DESC" {
		key = func(d *taskDefinition) string { return awsapi.Descending(fmt.Sprintf("%s:%09d", d.family, d.revision)) }
	}
	slices.SortFunc(found, func(a, b *taskDefinition) int { return cmp.Compare(key(a), key(b)) })
	found, next, err := awsapi.Page(in.Paging, 100, found, key)
	for _, d := range found {
		out.TaskDefinitionArns = append(out.TaskDefinitionArns, d.arn)
	}
	out.NextToken = next
	return out, err
}
