package sandbox

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
)

// iam is who calls and what they may do. Everybody is the same caller, who may do all that
// is not denied.
type iam struct {
	mu     sync.Mutex
	caller string // ARN, as STS tells it
	entity string // ARN of the user or role behind it
	denied map[string]bool
}

func newIAM(account, region string) *iam {
	user := "arn:" + partition(region) + ":iam::" + account + ":user/sandbox"
	return &iam{caller: user, entity: user, denied: map[string]bool{}}
}

// SetCaller changes who calls: arn is what STS tells, such as that of an assumed role, and
// entity the user or role behind it, empty for the same.
func (s *Server) SetCaller(arn, entity string) {
	s.iam.mu.Lock()
	defer s.iam.mu.Unlock()
	s.iam.caller, s.iam.entity = arn, entity
	if entity == "" {
		s.iam.entity = arn
	}
}

// Deny takes actions from the caller, such as "ecr:PutImage" or "iam:*"; none gives all
// back. The services that speak JSON refuse them from now on, and so does IAM; the registry,
// S3 and STS do not.
func (s *Server) Deny(actions ...string) {
	s.iam.mu.Lock()
	defer s.iam.mu.Unlock()
	if len(actions) == 0 {
		clear(s.iam.denied)
	}
	for _, a := range actions {
		s.iam.denied[a] = true
	}
}

// who is the caller and the entity behind.
func (i *iam) who() (caller, entity string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.caller, i.entity
}

func (i *iam) allows(action string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return !slices.ContainsFunc(slices.Collect(maps.Keys(i.denied)), func(pattern string) bool {
		ok, err := path.Match(pattern, action)
		return err == nil && ok
	})
}

// refusal is the message that goes with a refusal.
func (i *iam) refusal(action string) string {
	caller, _ := i.who()
	return fmt.Sprintf("User: %s is not authorized to perform: %s because no identity-based policy allows the %[2]s action", caller, action)
}

// serveIAM answers the two actions of IAM known here.
func (s *Server) serveIAM(w *watched, r *http.Request) {
	name := r.Form.Get("Action")
	w.name("iam", name, "", r.Form.Get("RoleName"))
	switch {
	case signedRegion(r) == "":
		writeIAMError(w, http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token")
	case !s.iam.allows("iam:" + name):
		writeIAMError(w, http.StatusForbidden, "AccessDenied", s.iam.refusal("iam:"+name))
	case name == "SimulatePrincipalPolicy":
		s.simulate(w, r)
	case name == "GetRole":
		s.getRole(w, r)
	default:
		writeIAMError(w, http.StatusBadRequest, "InvalidAction", "Could not find operation "+name+" for version "+versionIAM)
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

// simulate judges each action on each resource. As IAM does, it wants the ARN of a user, a
// group or a role: that of a session is none.
func (s *Server) simulate(w http.ResponseWriter, r *http.Request) {
	source := r.Form.Get("PolicySourceArn")
	if !strings.Contains(source, ":iam:") {
		writeIAMError(w, http.StatusBadRequest, "InvalidInput", "Invalid Entity Arn: "+source+" does not clearly define entity type and name.")
		return
	}
	if _, entity := s.iam.who(); source != entity {
		writeIAMError(w, http.StatusNotFound, "NoSuchEntity", "The entity "+source+" cannot be found.")
		return
	}
	resources := members(r, "ResourceArns")
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	var all []evaluation
	for _, action := range members(r, "ActionNames") {
		decision := "allowed"
		if !s.iam.allows(action) {
			decision = "implicitDeny"
		}
		for _, resource := range resources {
			all = append(all, evaluation{action, resource, decision})
		}
	}
	var answer simulation
	answer.RequestID = requestID
	answer.Result.Results, answer.Result.Marker = evaluationPage(all, r)
	answer.Result.Truncated = answer.Result.Marker != ""
	writeIAM(w, http.StatusOK, answer)
}

// evaluationPage cuts what MaxItems and Marker ask for; IAM's default is 100.
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

// members is a list in the query protocol: NAME.member.1, NAME.member.2 …
func members(r *http.Request, name string) []string {
	var out []string
	for i := 1; r.Form.Has(fmt.Sprintf("%s.member.%d", name, i)); i++ {
		out = append(out, r.Form.Get(fmt.Sprintf("%s.member.%d", name, i)))
	}
	return out
}

// roleAnswer is the answer of GetRole.
type roleAnswer struct {
	XMLName xml.Name `xml:"https://iam.amazonaws.com/doc/2010-05-08/ GetRoleResponse"`
	Role    struct {
		Path       string
		RoleName   string
		RoleID     string `xml:"RoleId"`
		Arn        string
		CreateDate string
	} `xml:"GetRoleResult>Role"`
	RequestID string `xml:"ResponseMetadata>RequestId"`
}

func (s *Server) getRole(w http.ResponseWriter, r *http.Request) {
	_, entity := s.iam.who()
	name := r.Form.Get("RoleName")
	_, resource, isRole := strings.Cut(entity, ":role")
	if !isRole || path.Base(resource) != name {
		writeIAMError(w, http.StatusNotFound, "NoSuchEntity", "The role with name "+name+" cannot be found.")
		return
	}
	var answer roleAnswer
	answer.Role.Path, answer.Role.RoleName, answer.Role.Arn = strings.TrimSuffix(resource, name), name, entity
	answer.Role.RoleID, answer.Role.CreateDate = "AROASANDBOXSANDBOX000", "2026-01-01T00:00:00Z"
	answer.RequestID = requestID
	writeIAM(w, http.StatusOK, answer)
}
