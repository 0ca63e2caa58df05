package codedeploy

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"slipway/internal/sandbox/awsapi"
)

// group is a deployment group. Answers show its fields as they came.
type group struct {
	groupSettings
	id         string
	fields     map[string]json.RawMessage
	attempted  *deployment
	successful *deployment
}

// groupSettings are the fields of a group that the sandbox acts on.
type groupSettings struct {
	ApplicationName      string        `json:"applicationName"`
	DeploymentGroupName  string        `json:"deploymentGroupName"`
	ServiceRoleARN       string        `json:"serviceRoleArn"`
	DeploymentConfigName string        `json:"deploymentConfigName"`
	AutoRollback         *autoRollback `json:"autoRollbackConfiguration"`
	ECSServices          []struct {
		ServiceName string `json:"serviceName"`
		ClusterName string `json:"clusterName"`
	} `json:"ecsServices"`
	BlueGreen *struct {
		TerminateBlue *struct {
			Action      string `json:"action"`
			WaitMinutes int    `json:"terminationWaitTimeInMinutes"`
		} `json:"terminateBlueInstancesOnDeploymentSuccess"`
		Ready *struct {
			ActionOnTimeout string `json:"actionOnTimeout"`
			WaitMinutes     int    `json:"waitTimeInMinutes"`
		} `json:"deploymentReadyOption"`
	} `json:"blueGreenDeploymentConfiguration"`
	Style *struct {
		Type   string `json:"deploymentType"`
		Option string `json:"deploymentOption"`
	} `json:"deploymentStyle"`
	LoadBalancer *struct {
		Pairs []json.RawMessage `json:"targetGroupPairInfoList"`
	} `json:"loadBalancerInfo"`
}

type autoRollback struct {
	Enabled bool     `json:"enabled"`
	Events  []string `json:"events"`
}

func (a *autoRollback) on(event string) bool {
	return a != nil && a.Enabled && slices.Contains(a.Events, event)
}

type createDeploymentGroupOut struct {
	DeploymentGroupID string `json:"deploymentGroupId"`
}

func createDeploymentGroup(d *region, fields map[string]json.RawMessage) (out createDeploymentGroupOut, err error) {
	g := &group{id: awsapi.UUID(), fields: fields}
	if err := awsapi.DecodeFields(fields, &g.groupSettings); err != nil {
		return out, err
	}
	a, err := d.application(g.ApplicationName)
	if err != nil {
		return out, err
	}
	if err := g.check(); err != nil {
		return out, err
	}
	if a.groups[g.DeploymentGroupName] != nil {
		return out, awsapi.Errorf("DeploymentGroupAlreadyExistsException", "Deployment group already exists: %s",
			g.DeploymentGroupName)
	}
	if err := d.checkService(g); err != nil {
		return out, err
	}
	a.groups[g.DeploymentGroupName] = g
	return createDeploymentGroupOut{g.id}, nil
}

// check returns an error for a group that lacks a field of "Create a deployment
// group for an Amazon ECS deployment".
func (g *group) check() error {
	switch {
	case !namePattern.MatchString(g.DeploymentGroupName):
		return awsapi.Errorf("InvalidDeploymentGroupNameException", "Invalid deployment group name: %q",
			g.DeploymentGroupName)
	case g.ServiceRoleARN == "":
		return awsapi.NewError("RoleRequiredException", "Role is required")
	case len(g.ECSServices) != 1:
		return awsapi.NewError("InvalidECSServiceException", "Deployment group must have exactly one ECS service")
	case g.Style == nil || g.Style.Type != "BLUE_GREEN" || g.Style.Option != "WITH_TRAFFIC_CONTROL":
		return awsapi.NewError("InvalidDeploymentStyleException",
			"For ECS deployment group, deploymentType must be BLUE_GREEN and deploymentOption WITH_TRAFFIC_CONTROL")
	case g.BlueGreen == nil || g.BlueGreen.TerminateBlue == nil || g.BlueGreen.Ready == nil:
		return awsapi.NewError("InvalidBlueGreenDeploymentConfigurationException",
			"For ECS deployment group, terminateBlueInstancesOnDeploymentSuccess and deploymentReadyOption are required")
	case g.LoadBalancer == nil || len(g.LoadBalancer.Pairs) == 0:
		return awsapi.NewError("InvalidLoadBalancerInfoException",
			"For ECS deployment group, targetGroupPairInfoList is required")
	}
	_, err := shiftOf(g.config())
	return err
}

// config returns the name of the deployment configuration.
func (g *group) config() string {
	return cmp.Or(g.DeploymentConfigName, "CodeDeployDefault.ECSAllAtOnce")
}

// checkService returns an error unless the service has the controller
// CODE_DEPLOY and belongs to no other group.
func (d *region) checkService(g *group) error {
	s, err := d.service(g)
	if err != nil {
		return awsapi.Errorf("InvalidECSServiceException", "The ECS service %s: %v", g.ECSServices[0].ServiceName, err)
	}
	if s.Controller() != "CODE_DEPLOY" {
		return awsapi.Errorf("InvalidECSServiceException",
			"The ECS service %s must be configured for a CODE_DEPLOY deployment controller.", s.Service())
	}
	for _, a := range d.applications {
		for _, other := range a.groups {
			if o, err := d.service(other); err == nil && o == s {
				return awsapi.Errorf("ECSServiceMappingLimitExceededException",
					"The ECS service %s is associated with the deployment group %s already.", s.Service(), other.DeploymentGroupName)
			}
		}
	}
	return nil
}

type groupIn struct {
	ApplicationName     string `json:"applicationName"`
	DeploymentGroupName string `json:"deploymentGroupName"`
}

type groupOut struct {
	Info map[string]any `json:"deploymentGroupInfo"`
}

func getDeploymentGroup(d *region, in groupIn) (out groupOut, err error) {
	g, err := d.group(in.ApplicationName, in.DeploymentGroupName)
	if err != nil {
		return out, err
	}
	return groupOut{g.describe()}, nil
}

func (g *group) describe() map[string]any {
	out := map[string]any{}
	for name, v := range g.fields {
		out[name] = v
	}
	delete(out, "tags") // they have an action of their own
	out["deploymentGroupId"] = g.id
	out["computePlatform"] = "ECS"
	out["deploymentConfigName"] = g.config()
	if g.attempted != nil {
		out["lastAttemptedDeployment"] = g.attempted.last()
	}
	if g.successful != nil {
		out["lastSuccessfulDeployment"] = g.successful.last()
		if r := g.successful.revision; r != nil {
			out["targetRevision"] = r.describe()
		}
	}
	return out
}

type batchGetDeploymentGroupsIn struct {
	ApplicationName      string   `json:"applicationName"`
	DeploymentGroupNames []string `json:"deploymentGroupNames"`
}

type batchGetDeploymentGroupsOut struct {
	Infos        []map[string]any `json:"deploymentGroupsInfo"`
	ErrorMessage string           `json:"errorMessage,omitempty"`
}

// batchGetDeploymentGroups names missing groups in errorMessage.
func batchGetDeploymentGroups(d *region, in batchGetDeploymentGroupsIn) (out batchGetDeploymentGroupsOut, err error) {
	out.Infos = []map[string]any{}
	if n := len(in.DeploymentGroupNames); n > 100 {
		return out, awsapi.Errorf("BatchLimitExceededException", "%d deployment groups: at most 100 may be asked for",
			n)
	}
	if _, err := d.application(in.ApplicationName); err != nil {
		return out, err
	}
	var missing []string
	for _, name := range in.DeploymentGroupNames {
		g, err := d.group(in.ApplicationName, name)
		if err != nil {
			missing = append(missing, name)
			continue
		}
		out.Infos = append(out.Infos, g.describe())
	}
	if len(missing) > 0 {
		out.ErrorMessage = "No Deployment Group found for name: " + strings.Join(missing, ", ")
	}
	return out, nil
}
