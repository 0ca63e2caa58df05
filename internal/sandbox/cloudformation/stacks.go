// Package cloudformation is a stand-in for AWS CloudFormation, as far as outputs go: it
// describes stacks that a test planted, and makes no resources.
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

	mu     sync.Mutex
	stacks map[key]*planted
}

type key struct{ region, name string }

type planted struct {
	Stack
	id      string
	created time.Time
}

// New returns an account without stacks.
func New(account string, c *awsapi.Clock, p Permissions) *Stacks {
	return &Stacks{account: account, clock: c, permissions: p, stacks: map[key]*planted{}}
}

// Set makes a stack, or replaces the one of that name.
func (s *Stacks) Set(region, name string, stack Stack) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stack.Status = cmp.Or(stack.Status, "CREATE_COMPLETE")
	stack.Outputs = maps.Clone(stack.Outputs)
	sum := sha256.Sum256([]byte(region + "/" + name))
	id := fmt.Sprintf("arn:%s:cloudformation:%s:%s:stack/%s/%x-%x-%x-%x-%x", awsapi.Partition(region), region, s.account, name,
		sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
	s.stacks[key{region, name}] = &planted{stack, id, s.clock.Now()}
}

// Serve answers DescribeStacks. The request's form must have been parsed. It calls name
// with the action and the stack before it answers.
func (s *Stacks) Serve(w http.ResponseWriter, r *http.Request, name func(action, stack string)) {
	action, stack := r.Form.Get("Action"), r.Form.Get("StackName")
	name(action, stack)
	region := awsapi.SignedRegion(r)
	switch {
	case region == "":
		refuse(w, http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token")
	case !s.permissions.Allows("cloudformation:" + action):
		refuse(w, http.StatusForbidden, "AccessDenied", s.permissions.Refusal("cloudformation:"+action))
	case action != "DescribeStacks":
		refuse(w, http.StatusBadRequest, "InvalidAction", "Could not find operation "+action+" for version "+Version)
	default:
		s.describe(w, region, stack)
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
	StackID      string   `xml:"StackId"`
	StackName    string   `xml:"StackName"`
	CreationTime string   `xml:"CreationTime"`
	StackStatus  string   `xml:"StackStatus"`
	Outputs      []output `xml:"Outputs>member"`
}

type output struct{ OutputKey, OutputValue string }

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
	out := view{StackID: p.id, StackName: name, CreationTime: p.created.UTC().Format(time.RFC3339), StackStatus: p.Status}
	for _, key := range slices.Sorted(maps.Keys(p.Outputs)) {
		out.Outputs = append(out.Outputs, output{key, p.Outputs[key]})
	}
	return out
}
