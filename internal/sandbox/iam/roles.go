package iam

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"
	"path"
	"strings"

	"slipway/internal/sandbox/awsapi"
)

// Role is a role that a test planted.
type Role struct {
	// ARN is that of the role.
	ARN string
	// Trusts is the service that may assume it, such as ecs-tasks.amazonaws.com.
	Trusts string
	// Denied are actions that its policies do not allow; they allow all others. They may
	// have the wildcard *.
	Denied []string
}

// SetRole makes a role, or replaces the one of that name.
func (i *Permissions) SetRole(r Role) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.roles[path.Base(r.ARN)] = r
}

// permissionsOf returns what an entity may do, given by its ARN.
func (i *Permissions) permissionsOf(arn string) (allows func(action string) bool, ok bool) {
	if _, entity := i.identity(); arn == entity {
		return i.Allows, true
	}
	r, ok := i.roleOf(path.Base(arn))
	return func(action string) bool { return !matches(r.Denied, action) }, ok && r.ARN == arn
}

// roleOf returns a role by its name. The role of the caller trusts CodeBuild.
func (i *Permissions) roleOf(name string) (Role, bool) {
	_, entity := i.identity()
	if _, resource, ok := strings.Cut(entity, ":role"); ok && path.Base(resource) == name {
		return Role{ARN: entity, Trusts: "codebuild.amazonaws.com"}, true
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	r, ok := i.roles[name]
	return r, ok
}

// trust returns the trust policy of a role, URL-encoded as IAM returns it ("GetRole" in
// the API reference).
func (r Role) trust() (string, error) {
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{
		map[string]any{"Effect": "Allow", "Principal": map[string]string{"Service": r.Trusts}, "Action": "sts:AssumeRole"},
	}})
	return url.PathEscape(string(text)), err
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
		Trust      string `xml:"AssumeRolePolicyDocument"`
	} `xml:"GetRoleResult>Role"`
	RequestID string `xml:"ResponseMetadata>RequestId"`
}

func (i *Permissions) getRole(w http.ResponseWriter, r *http.Request) {
	name := r.Form.Get("RoleName")
	found, ok := i.roleOf(name)
	if !ok {
		writeIAMError(w, http.StatusNotFound, "NoSuchEntity", "The role with name "+name+" cannot be found.")
		return
	}
	_, resource, _ := strings.Cut(found.ARN, ":role")
	var answer roleAnswer
	answer.Role.Path, answer.Role.RoleName, answer.Role.Arn = strings.TrimSuffix(resource, name), name, found.ARN
	answer.Role.RoleID, answer.Role.CreateDate = "AROASANDBOXSANDBOX000", "2026-01-01T00:00:00Z"
	answer.RequestID = awsapi.RequestID
	var err error
	if answer.Role.Trust, err = found.trust(); err != nil {
		writeIAMError(w, http.StatusInternalServerError, "ServiceFailure", err.Error())
		return
	}
	awsapi.WriteXML(w, http.StatusOK, answer)
}
