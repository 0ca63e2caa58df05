// Package iam is a stand-in for AWS IAM and STS: the caller of all requests,
// the caller's permissions, and the simulation of policies.
package iam

import (
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"slipway/internal/sandbox/awsapi"
)

// Permissions are the caller of all requests and the caller's permissions: all
// actions that are not denied.
type Permissions struct {
	account string

	mu     sync.Mutex
	caller string // ARN, as STS returns it
	entity string // ARN of the user or role behind it
	denied map[string]bool
	roles  map[string]Role // by their names
}

// New returns the permissions of a user called sandbox, with nothing denied.
func New(account, region string) *Permissions {
	user := "arn:" + awsapi.Partition(region) + ":iam::" + account + ":user/sandbox"
	return &Permissions{account: account, caller: user, entity: user, denied: map[string]bool{}, roles: map[string]Role{}}
}

// SetCaller changes the caller. arn is the one that STS returns, such as that
// of an assumed role; entity is the user or role behind it, empty for the same.
func (i *Permissions) SetCaller(arn, entity string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.caller, i.entity = arn, entity
	if entity == "" {
		i.entity = arn
	}
}

// Deny denies actions to the caller, such as "ecr:PutImage" or "iam:*". Without
// actions it allows all again.
func (i *Permissions) Deny(actions ...string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(actions) == 0 {
		clear(i.denied)
	}
	for _, a := range actions {
		i.denied[a] = true
	}
}

// identity returns the caller and the entity behind.
func (i *Permissions) identity() (caller, entity string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.caller, i.entity
}

// Allows reports whether the caller may use an action, such as "ecr:PutImage".
func (i *Permissions) Allows(action string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return !matches(slices.Collect(maps.Keys(i.denied)), action)
}

// matches reports whether one of the patterns stands for an action.
func matches(patterns []string, action string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, err := path.Match(pattern, action)
		return err == nil && ok
	})
}

// Refusal returns the message of an error for an action that is denied.
func (i *Permissions) Refusal(action string) string {
	caller, _ := i.identity()
	return fmt.Sprintf("User: %s is not authorized to perform: %s because no identity-based policy allows the %[2]s action", caller, action)
}

// serveIAM answers the two actions of IAM that the sandbox has.
func (i *Permissions) serveIAM(w http.ResponseWriter, r *http.Request) {
	name := r.Form.Get("Action")
	switch {
	case awsapi.SignedRegion(r) == "":
		writeIAMError(w, http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token")
	case !i.Allows("iam:" + name):
		writeIAMError(w, http.StatusForbidden, "AccessDenied", i.Refusal("iam:"+name))
	case name == "SimulatePrincipalPolicy":
		i.simulate(w, r)
	case name == "GetRole":
		i.getRole(w, r)
	default:
		writeIAMError(w, http.StatusBadRequest, "InvalidAction",
			"Could not find operation "+name+" for version "+versionIAM)
	}
}

// simulation is the answer of SimulatePrincipalPolicy.
type simulation struct {
	XMLName xml.Name `xml:"https://iam.amazonaws.com/doc/2010-05-08/ SimulatePrincipalPolicyResponse"`
	Result  struct {
		Truncated bool         `xml:"IsTruncated"`
		Marker    string       `xml:"Marker,omitempty"`
		Results   []evaluation `xml:"EvaluationResults>member"`
	} `xml:"SimulatePrincipalPolicyResult"`
	RequestID string `xml:"ResponseMetadata>RequestId"`
}

type evaluation struct {
	Action   string `xml:"EvalActionName"`
	Resource string `xml:"EvalResourceName"`
	Decision string `xml:"EvalDecision"`
}

// simulate returns the decision for each action on each resource. Like IAM it
// takes the ARN of a user, a group or a role, not that of a session.
func (i *Permissions) simulate(w http.ResponseWriter, r *http.Request) {
	source := r.Form.Get("PolicySourceArn")
	if !strings.Contains(source, ":iam:") {
		writeIAMError(w, http.StatusBadRequest, "InvalidInput",
			"Invalid Entity Arn: "+source+" does not clearly define entity type and name.")
		return
	}
	allows, ok := i.permissionsOf(source)
	if !ok {
		writeIAMError(w, http.StatusNotFound, "NoSuchEntity", "The entity "+source+" cannot be found.")
		return
	}
	resources := awsapi.Members(r, "ResourceArns")
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	var all []evaluation
	for _, action := range awsapi.Members(r, "ActionNames") {
		decision := "allowed"
		if !allows(action) {
			decision = "implicitDeny"
		}
		for _, resource := range resources {
			all = append(all, evaluation{action, resource, decision})
		}
	}
	var answer simulation
	answer.RequestID = awsapi.RequestID
	answer.Result.Results, answer.Result.Marker = evaluationPage(all, r)
	answer.Result.Truncated = answer.Result.Marker != ""
	awsapi.WriteXML(w, http.StatusOK, answer)
}

// evaluationPage returns the page that MaxItems and Marker ask for; IAM's
// default is 100 entries.
func evaluationPage(all []evaluation, r *http.Request) (page []evaluation, next string) {
	size, err := strconv.Atoi(r.Form.Get("MaxItems"))
	if err != nil || size < 1 {
		size = 100
	}
	first, err := strconv.Atoi(r.Form.Get("Marker"))
	if err != nil || first < 0 || first > len(all) {
		first = 0
	}
	end := min(first+size, len(all))
	if end < len(all) {
		next = strconv.Itoa(end)
	}
	return all[first:end], next
}
