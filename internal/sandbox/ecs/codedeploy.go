package ecs

import (
	"cmp"
	"encoding/json"
	"maps"
	"regexp"
	"slices"

	"slipway/internal/sandbox/awsapi"
)

// CodeDeploy returns the CodeDeploy API for the ECS compute platform.
// Names of fields, limits and errors are those of its API reference, version
// 2014-10-06; deployments follow "Deployments on an Amazon ECS compute platform"
// in its user guide.
func (s *Regions) CodeDeploy() awsapi.Service {
	return awsapi.Service{
		Name:      "codedeploy",
		Prefix:    "CodeDeploy_20141006",
		Reference: deploymentReference,
		Actions: map[string]awsapi.Action{
			"CreateApplication":        codeDeployAction(s, createApplication),
			"ListApplications":         codeDeployAction(s, listApplications),
			"CreateDeploymentGroup":    codeDeployAction(s, createDeploymentGroup),
			"GetDeploymentGroup":       codeDeployAction(s, getDeploymentGroup),
			"BatchGetDeploymentGroups": codeDeployAction(s, batchGetDeploymentGroups),
			"ListDeploymentGroups":     codeDeployAction(s, listDeploymentGroups),
			"GetDeploymentConfig":      codeDeployAction(s, getDeploymentConfig),
			"CreateDeployment":         codeDeployAction(s, createDeployment),
			"GetDeployment":            codeDeployAction(s, getDeployment),
			"StopDeployment":           codeDeployAction(s, stopDeployment),
			"ListDeployments":          codeDeployAction(s, listDeployments),
		},
	}
}

// codeDeploy is CodeDeploy in one region. It lives on ECS's timeline and under
// ECS's lock.
type codeDeploy struct {
	ecs          *region
	applications map[string]*cdApplication
	deployments  []*cdDeployment // oldest first
}

type cdApplication struct {
	name, id string
	groups   map[string]*cdGroup
}

// codeDeployAction returns an action that has CodeDeploy and ECS of its region
// to itself and up to date.
func codeDeployAction[In, Out any](s *Regions, f func(*codeDeploy, In) (Out, error)) awsapi.Action {
	return action(s, func(e *region, in In) (Out, error) { return f(e.deploys, in) })
}

var cdNamePattern = regexp.MustCompile(`^[^\s]{1,100}$`)

func (d *codeDeploy) application(name string) (*cdApplication, error) {
	if name == "" {
		return nil, awsapi.NewError("ApplicationNameRequiredException", "Application name is required")
	}
	if a := d.applications[name]; a != nil {
		return a, nil
	}
	return nil, awsapi.Errorf("ApplicationDoesNotExistException", "No application found for name: %s", name)
}

func (d *codeDeploy) group(application, name string) (*cdGroup, error) {
	a, err := d.application(application)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, awsapi.NewError("DeploymentGroupNameRequiredException", "Deployment Group name is required")
	}
	if g := a.groups[name]; g != nil {
		return g, nil
	}
	return nil, awsapi.Errorf("DeploymentGroupDoesNotExistException", "No Deployment Group found for name: %s", name)
}

type createApplicationIn struct {
	ApplicationName string `json:"applicationName"`
	ComputePlatform string `json:"computePlatform"`
}

type createApplicationOut struct {
	ApplicationID string `json:"applicationId"`
}

func createApplication(d *codeDeploy, in createApplicationIn) (out createApplicationOut, err error) {
	switch {
	case !cdNamePattern.MatchString(in.ApplicationName):
		return out, awsapi.Errorf("InvalidApplicationNameException", "Invalid application name: %q", in.ApplicationName)
	case in.ComputePlatform != "ECS":
		return out, awsapi.Errorf("InvalidComputePlatformException", "the sandbox knows the compute platform ECS only, not %q", in.ComputePlatform)
	case d.applications[in.ApplicationName] != nil:
		return out, awsapi.Errorf("ApplicationAlreadyExistsException", "Application already exists: %s", in.ApplicationName)
	}
	a := &cdApplication{name: in.ApplicationName, id: awsapi.UUID(), groups: map[string]*cdGroup{}}
	d.applications[a.name] = a
	return createApplicationOut{a.id}, nil
}

// cdPage is how CodeDeploy's list requests ask for more: its pages have a fixed
// size, 100 here.
type cdPage struct {
	NextToken string `json:"nextToken"`
}

func (p cdPage) of(sorted []string, key func(string) string) ([]string, string, error) {
	part, next, err := awsapi.Page(awsapi.Paging{NextToken: p.NextToken}, awsapi.DefaultPage, sorted, key)
	if err != nil {
		return nil, "", awsapi.NewError("InvalidNextTokenException", "The next token is invalid")
	}
	if part == nil {
		part = []string{}
	}
	return part, next, nil
}

func itself(s string) string { return s }

type listApplicationsOut struct {
	Applications []string `json:"applications"`
	NextToken    string   `json:"nextToken,omitempty"`
}

func listApplications(d *codeDeploy, in cdPage) (out listApplicationsOut, err error) {
	out.Applications, out.NextToken, err = in.of(slices.Sorted(maps.Keys(d.applications)), itself)
	return out, err
}

type listDeploymentGroupsIn struct {
	cdPage
	ApplicationName string `json:"applicationName"`
}

type listDeploymentGroupsOut struct {
	ApplicationName  string   `json:"applicationName"`
	DeploymentGroups []string `json:"deploymentGroups"`
	NextToken        string   `json:"nextToken,omitempty"`
}

func listDeploymentGroups(d *codeDeploy, in listDeploymentGroupsIn) (out listDeploymentGroupsOut, err error) {
	a, err := d.application(in.ApplicationName)
	if err != nil {
		return out, err
	}
	out.ApplicationName = a.name
	out.DeploymentGroups, out.NextToken, err = in.of(slices.Sorted(maps.Keys(a.groups)), itself)
	return out, err
}

// deploymentReference returns the deployment that a request names, else its
// group, else its application.
func deploymentReference(body []byte) string {
	var in struct{ DeploymentID, DeploymentGroupName, ApplicationName string }
	_ = json.Unmarshal(body, &in) // the action complains about bad JSON
	return cmp.Or(in.DeploymentID, in.DeploymentGroupName, in.ApplicationName)
}
