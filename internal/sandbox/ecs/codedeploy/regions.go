// Package codedeploy is a stand-in for AWS CodeDeploy, for the ECS compute
// platform.
package codedeploy

import (
	"cmp"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"sync"

	"slipway/internal/sandbox/awsapi"
	"slipway/internal/sandbox/ecs"
)

// Regions are CodeDeploy of an account in all regions.
type Regions struct {
	ecs *ecs.Regions

	mu  sync.Mutex // taken before ECS's lock
	all map[string]*region
}

// New returns CodeDeploy without applications. It deploys to services of e.
func New(e *ecs.Regions) *Regions {
	return &Regions{ecs: e, all: map[string]*region{}}
}

// Service returns the CodeDeploy API. Names of fields, limits and errors are
// those of its API reference, version 2014-10-06; deployments follow
// "Deployments on an Amazon ECS compute platform" in its user guide.
func (s *Regions) Service() awsapi.Service {
	return awsapi.Service{
		Name:      "codedeploy",
		Prefix:    "CodeDeploy_20141006",
		Reference: reference,
		Actions: map[string]awsapi.Action{
			"CreateApplication":        action(s, createApplication),
			"ListApplications":         action(s, listApplications),
			"CreateDeploymentGroup":    action(s, createDeploymentGroup),
			"GetDeploymentGroup":       action(s, getDeploymentGroup),
			"BatchGetDeploymentGroups": action(s, batchGetDeploymentGroups),
			"ListDeploymentGroups":     action(s, listDeploymentGroups),
			"GetDeploymentConfig":      action(s, getDeploymentConfig),
			"CreateDeployment":         action(s, createDeployment),
			"GetDeployment":            action(s, getDeployment),
			"StopDeployment":           action(s, stopDeployment),
			"ListDeployments":          action(s, listDeployments),
		},
	}
}

// at returns CodeDeploy of a region, which is made the first time.
func (s *Regions) at(name string) (*region, error) {
	e, err := s.ecs.Controller(name)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.all[name]; d != nil {
		return d, nil
	}
	d := &region{ecs: e, applications: map[string]*application{}}
	s.all[name] = d
	e.OnStep(d.step)
	return d, nil
}

// region is CodeDeploy in one region. ECS's lock guards it, and its deployments
// run in ECS's time.
type region struct {
	ecs          *ecs.Controller
	applications map[string]*application
	deployments  []*deployment // oldest first
}

type application struct {
	name, id string
	groups   map[string]*group
}

// action returns an action that calls f with CodeDeploy of the
// request's region, with ECS locked and brought up to the clock.
func action[In, Out any](s *Regions, f func(*region, In) (Out, error)) awsapi.Action {
	return awsapi.NewAction(func(c awsapi.Call, in In) (out Out, err error) {
		d, err := s.at(c.Region)
		if err != nil {
			return out, err
		}
		err = d.ecs.Do(func() error {
			out, err = f(d, in)
			return err
		})
		return out, err
	})
}

var namePattern = regexp.MustCompile(`^[^\s]{1,100}$`)

func (d *region) application(name string) (*application, error) {
	if name == "" {
		return nil, awsapi.NewError("ApplicationNameRequiredException", "Application name is required")
	}
	if a := d.applications[name]; a != nil {
		return a, nil
	}
	return nil, awsapi.Errorf("ApplicationDoesNotExistException", "No application found for name: %s", name)
}

func (d *region) group(application, name string) (*group, error) {
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

func createApplication(d *region, in createApplicationIn) (out createApplicationOut, err error) {
	switch {
	case !namePattern.MatchString(in.ApplicationName):
		return out, awsapi.Errorf("InvalidApplicationNameException", "Invalid application name: %q", in.ApplicationName)
	case in.ComputePlatform != "ECS":
		return out, awsapi.Errorf("InvalidComputePlatformException",
			"the sandbox knows the compute platform ECS only, not %q", in.ComputePlatform)
	case d.applications[in.ApplicationName] != nil:
		return out, awsapi.Errorf("ApplicationAlreadyExistsException", "Application already exists: %s",
			in.ApplicationName)
	}
	a := &application{name: in.ApplicationName, id: awsapi.UUID(), groups: map[string]*group{}}
	d.applications[a.name] = a
	return createApplicationOut{a.id}, nil
}

// pageIn is the part of a list request that asks for a page. CodeDeploy's pages
// have a fixed size, 100 here.
type pageIn struct {
	NextToken string `json:"nextToken"`
}

func (p pageIn) of(sorted []string, key func(string) string) ([]string, string, error) {
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

func listApplications(d *region, in pageIn) (out listApplicationsOut, err error) {
	out.Applications, out.NextToken, err = in.of(slices.Sorted(maps.Keys(d.applications)), itself)
	return out, err
}

type listDeploymentGroupsIn struct {
	pageIn
	ApplicationName string `json:"applicationName"`
}

type listDeploymentGroupsOut struct {
	ApplicationName  string   `json:"applicationName"`
	DeploymentGroups []string `json:"deploymentGroups"`
	NextToken        string   `json:"nextToken,omitempty"`
}

func listDeploymentGroups(d *region, in listDeploymentGroupsIn) (out listDeploymentGroupsOut, err error) {
	a, err := d.application(in.ApplicationName)
	if err != nil {
		return out, err
	}
	out.ApplicationName = a.name
	out.DeploymentGroups, out.NextToken, err = in.of(slices.Sorted(maps.Keys(a.groups)), itself)
	return out, err
}

// reference returns the deployment that a request names, else its
// group, else its application.
func reference(body []byte) string {
	var in struct{ DeploymentID, DeploymentGroupName, ApplicationName string }
	_ = json.Unmarshal(body, &in) // the action complains about bad JSON
	return cmp.Or(in.DeploymentID, in.DeploymentGroupName, in.ApplicationName)
}
