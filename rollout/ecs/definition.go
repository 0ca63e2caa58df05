package ecs

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsname"
	"slipway/internal/fault"
)

// Definition is a task definition with every field that ECS returned, including
// those that the SDK does not know.
type Definition struct {
	// ARN is the revision's; empty for one that is not registered yet.
	ARN string
	// Family is its name without the revision.
	Family string
	// Fields is the JSON object taskDefinition in ECS's answer, numbers as
	// json.Number.
	Fields map[string]any
	// Tags is the JSON list of its tags.
	Tags []any
}

// answerOnly are the fields that DescribeTaskDefinition returns and
// RegisterTaskDefinition does not accept (API reference, TaskDefinition and the
// request of RegisterTaskDefinition).
var answerOnly = []string{
	"taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities",
	"registeredAt", "registeredBy", "deregisteredAt", "deleteRequestedAt",
}

// WithImages returns the definition to register for a revision in which the
// named containers have other images. It leaves out the fields that only ECS
// sets, and tags that begin with "aws:". Everything else stays, including
// unknown fields at every depth and the order of the containers. d is not
// changed. The error is a *ContainerError if the definition lacks a named
// container.
func (d Definition) WithImages(images map[string]string) (Definition, error) {
	if missing := d.without(slices.Sorted(maps.Keys(images))); len(missing) > 0 {
		return Definition{}, &ContainerError{Definition: d.Name(), Missing: missing, Have: d.containerNames()}
	}
	next := Definition{Family: d.Family, Fields: maps.Clone(d.Fields), Tags: settable(d.Tags)}
	for _, field := range answerOnly {
		delete(next.Fields, field)
	}
	list, _ := d.Fields["containerDefinitions"].([]any)
	if list == nil {
		return next, nil
	}
	list = slices.Clone(list)
	for i, c := range list {
		container, _ := c.(map[string]any)
		if image, ok := images[stringField(container, "name")]; ok && container != nil {
			container = maps.Clone(container)
			container["image"] = image
			list[i] = container
		}
	}
	next.Fields["containerDefinitions"] = list
	return next, nil
}

// request returns the body of RegisterTaskDefinition for the definition.
func (d Definition) request() ([]byte, error) {
	body := maps.Clone(d.Fields)
	if len(d.Tags) > 0 {
		body["tags"] = d.Tags
	}
	payload, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("writing task definition %s as JSON: %w", d.Name(), err)
	}
	return payload, nil
}

// active reports whether ECS deploys the definition: it does not if it was
// deregistered.
func (d Definition) active() bool {
	status := d.status()
	return status == "" || status == string(types.TaskDefinitionStatusActive)
}

// equal reports whether d with other images would be registered as other is.
func (d Definition) equal(other Definition, images map[string]string) bool {
	a, errA := d.WithImages(images)
	b, errB := other.WithImages(nil)
	return errA == nil && errB == nil && a.Family == b.Family && reflect.DeepEqual(a.Fields, b.Fields) && reflect.DeepEqual(a.tags(), b.tags())
}

// tags returns the values of the tags by key.
func (d Definition) tags() map[string]string {
	out := map[string]string{}
	for _, t := range d.Tags {
		tag, _ := t.(map[string]any)
		out[stringField(tag, "key")] = stringField(tag, "value")
	}
	return out
}

// Has reports whether the definition has a container.
func (d Definition) Has(container string) bool { return slices.Contains(d.containerNames(), container) }

// image returns the image reference of a container; empty where it has none.
func (d Definition) image(container string) string {
	for _, c := range d.containers() {
		if stringField(c, "name") == container {
			return stringField(c, "image")
		}
	}
	return ""
}

// status returns ACTIVE, INACTIVE or DELETE_IN_PROGRESS; empty where ECS
// reports none.
func (d Definition) status() string { return stringField(d.Fields, "status") }

// Name returns the ARN's last part, family:revision, else the family.
func (d Definition) Name() string {
	if d.ARN == "" {
		return d.Family
	}
	return awsname.LastPart(d.ARN)
}

func (d Definition) containers() []map[string]any {
	list, _ := d.Fields["containerDefinitions"].([]any)
	var containers []map[string]any
	for _, c := range list {
		if container, ok := c.(map[string]any); ok {
			containers = append(containers, container)
		}
	}
	return containers
}

func (d Definition) containerNames() []string {
	var names []string
	for _, c := range d.containers() {
		names = append(names, stringField(c, "name"))
	}
	return names
}

// without returns those of the names that no container has.
func (d Definition) without(names []string) []string {
	have := d.containerNames()
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(have, name) })
}

// settable leaves out tags that only AWS sets: those whose key begins with
// "aws:" in any case (API reference, Tag).
func settable(tags []any) []any {
	return slices.DeleteFunc(slices.Clone(tags), func(t any) bool {
		tag, _ := t.(map[string]any)
		return strings.HasPrefix(strings.ToLower(stringField(tag, "key")), "aws:")
	})
}

// stringField returns a field of a JSON object if it is a string, else empty.
func stringField(object map[string]any, field string) string {
	s, _ := object[field].(string)
	return s
}

// errNoDefinition is an answer of DescribeTaskDefinition that holds none.
var errNoDefinition = errors.New("the answer has no task definition")

// ContainerError is the error for a container that a task definition lacks.
type ContainerError struct {
	// Definition is the task definition as family:revision.
	Definition string
	// Missing are the names that it lacks, Have those that it has.
	Missing, Have []string
}

// Error names the containers that are missing and those that are there.
func (e *ContainerError) Error() string {
	return fmt.Sprintf("task definition %s has no container %s; it has %s",
		e.Definition, strings.Join(e.Missing, ", "), strings.Join(e.Have, ", "))
}

// Kind returns fault.Usage.
func (e *ContainerError) Kind() fault.Kind { return fault.Usage }

// Roles returns the ARNs of the task execution role and the task role, as far
// as the task definition names them.
func (d Definition) Roles() []string {
	var out []string
	for _, field := range []string{"executionRoleArn", "taskRoleArn"} {
		if role := stringField(d.Fields, field); role != "" {
			out = append(out, role)
		}
	}
	return out
}
