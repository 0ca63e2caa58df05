// Package cloudformation is a stand-in for AWS CloudFormation: it describes stacks that a
// test planted, and deploys templates by change sets. Another package makes the
// resources.
package cloudformation

import (
	"cmp"
	"crypto/sha256"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"slipway/internal/sandbox/awsapi"
	"slipway/internal/sandbox/cloudformation/template"
)

// Version is the version by which requests of the query protocol name CloudFormation's
// API.
const Version = "2010-05-15"

const namespace = "http://cloudformation.amazonaws.com/doc/2010-05-15/"

// Permissions are those of the caller.
type Permissions interface {
	Allows(action string) bool
	Refusal(action string) string
}

// Stack is a stack that is there.
type Stack struct {
	// Status is a StackStatus of the API reference; CREATE_COMPLETE if empty.
	Status string
	// Outputs are the values of the outputs by their names.
	Outputs map[string]string
}

// Stacks are the stacks of an account in all regions.
type Stacks struct {
	account     string
	clock       *awsapi.Clock
	permissions Permissions
	make        func(region string, r template.Resource) error

	mu         sync.Mutex
	stacks     map[key]*planted
	changeSets []*changeSet
}

type key struct{ region, name string }

// planted is a stack with what a template adds: its text, the values of the parameters,
// and the names of the exports by those of the outputs.
type planted struct {
	Stack
	id, reason             string
	created                time.Time
	text                   string
	values, shown, exports map[string]string
	imports                []string // names of exports of other stacks
}

// sameAs reports whether a stack has the template and the parameters of another.
func (p *planted) sameAs(other planted) bool {
	return p.text == other.text && maps.Equal(p.values, other.values)
}

// New returns an account without stacks. It calls create with each resource of a change
// set that is executed. A resource may exist already.
func New(account string, c *awsapi.Clock, p Permissions, create func(region string, r template.Resource) error) *Stacks {
	return &Stacks{account: account, clock: c, permissions: p, make: create, stacks: map[key]*planted{}}
}

// Set makes a stack, or replaces the one of that name.
func (s *Stacks) Set(region, name string, stack Stack) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stack.Status = cmp.Or(stack.Status, "CREATE_COMPLETE")
	stack.Outputs = maps.Clone(stack.Outputs)
	s.stacks[key{region, name}] = &planted{Stack: stack, id: s.arn(region, "stack", name, ""), created: s.clock.Now()}
}

// arn returns the ARN of a stack or a change set. Those of different salts differ.
func (s *Stacks) arn(region, kind, name, salt string) string {
	sum := sha256.Sum256([]byte(region + "/" + name + salt))
	return fmt.Sprintf("arn:%s:cloudformation:%s:%s:%s/%s/%x-%x-%x-%x-%x", awsapi.Partition(region), region, s.account, kind, name,
		sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// Serve answers DescribeStacks, DeleteStack, GetTemplateSummary and the actions of change
// sets. The request's form must have been parsed. It calls name with the action and the stack before it answers.
func (s *Stacks) Serve(w http.ResponseWriter, r *http.Request, name func(action, stack string)) {
	action, stack := r.Form.Get("Action"), r.Form.Get("StackName")
	name(action, stack)
	region := awsapi.SignedRegion(r)
	switch {
	case region == "":
		refuse(w, http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token")
	case !s.permissions.Allows("cloudformation:" + action):
		refuse(w, http.StatusForbidden, "AccessDenied", s.permissions.Refusal("cloudformation:"+action))
	case action == "DescribeStacks":
		s.describe(w, region, stack)
	case slices.Contains([]string{"CreateChangeSet", "DeleteStack", "DescribeChangeSet", "ExecuteChangeSet", "GetTemplateSummary"}, action):
		s.change(w, r, region)
	default:
		refuse(w, http.StatusBadRequest, "InvalidAction", "Could not find operation "+action+" for version "+Version)
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	awsapi.WriteQueryError(w, status, namespace, code, message)
}

// described is the answer of DescribeStacks.
type described struct {
	XMLName   xml.Name `xml:"http://cloudformation.amazonaws.com/doc/2010-05-15/ DescribeStacksResponse"`
	Stacks    []view   `xml:"DescribeStacksResult>Stacks>member"`
	RequestID string   `xml:"ResponseMetadata>RequestId"`
}

type view struct {
	StackID           string           `xml:"StackId"`
	StackName         string           `xml:"StackName"`
	CreationTime      string           `xml:"CreationTime"`
	StackStatus       string           `xml:"StackStatus"`
	StackStatusReason string           `xml:"StackStatusReason,omitempty"`
	Parameters        []shownParameter `xml:"Parameters>member"`
	Outputs           []output         `xml:"Outputs>member"`
}

type shownParameter struct{ ParameterKey, ParameterValue string }

type output struct {
	OutputKey, OutputValue string
	ExportName             string `xml:"ExportName,omitempty"`
}

// describe answers with one stack, by its name or its ARN, or with all of a region.
func (s *Stacks) describe(w http.ResponseWriter, region, stack string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := described{RequestID: awsapi.RequestID}
	for k, p := range s.stacks {
		if k.region == region && (stack == "" || stack == k.name || stack == p.id) {
			answer.Stacks = append(answer.Stacks, p.view(k.name))
		}
	}
	if stack != "" && len(answer.Stacks) == 0 {
		refuse(w, http.StatusBadRequest, "ValidationError", "Stack with id "+stack+" does not exist")
		return
	}
	slices.SortFunc(answer.Stacks, func(a, b view) int { return strings.Compare(a.StackName, b.StackName) })
	awsapi.WriteXML(w, http.StatusOK, answer)
}

func (p *planted) view(name string) view {
	out := view{StackID: p.id, StackName: name, CreationTime: p.created.UTC().Format(time.RFC3339), StackStatus: p.Status, StackStatusReason: p.reason}
	for _, key := range slices.Sorted(maps.Keys(p.shown)) {
		out.Parameters = append(out.Parameters, shownParameter{key, p.shown[key]})
	}
	for _, key := range slices.Sorted(maps.Keys(p.Outputs)) {
		out.Outputs = append(out.Outputs, output{key, p.Outputs[key], p.exports[key]})
	}
	return out
}
