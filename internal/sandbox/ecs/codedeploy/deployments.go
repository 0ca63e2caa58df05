package codedeploy

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"slipway/internal/sandbox/awsapi"
)

// deployment is a deployment: a replacement task set next to the original one,
// or a rollback to the original.
type deployment struct {
	id          string
	group       *group
	revision    *revision
	config      string
	description string
	creator     string
	rollbackOn  *autoRollback
	status      string
	createdAt   time.Time
	startedAt   time.Time
	completedAt time.Time
	// failure and message are errorInformation.
	failure, message string
	previous         *revision // deployed before the last successful deployment
	// rollback is the deployment that rolls this one back; trigger is the
	// deployment that this one rolls back.
	rollback, trigger *deployment
	terminationWait   bool
	run               run
}

// revision is an AppSpec with its text.
type revision struct {
	content string
	spec    appSpec
}

func (r *revision) sha256() string {
	sum := sha256.Sum256([]byte(r.content))
	return hex.EncodeToString(sum[:])
}

// describe leaves out the content: "the content property of the appSpecContent
// object in the returned revision is always null" (GetDeployment).
func (r *revision) describe() map[string]any {
	return map[string]any{"revisionType": "AppSpecContent", "appSpecContent": map[string]any{"sha256": r.sha256()}}
}

func (d *deployment) ended() bool {
	return d.status == "Succeeded" || d.status == "Failed" || d.status == "Stopped"
}

type revisionLocation struct {
	RevisionType   string `json:"revisionType"`
	AppSpecContent *struct {
		Content string `json:"content"`
		SHA256  string `json:"sha256"`
	} `json:"appSpecContent"`
}

type createDeploymentIn struct {
	groupIn
	Revision             *revisionLocation `json:"revision"`
	DeploymentConfigName string            `json:"deploymentConfigName"`
	Description          string            `json:"description"`
	AutoRollback         *autoRollback     `json:"autoRollbackConfiguration"`
}

type createDeploymentOut struct {
	DeploymentID string `json:"deploymentId"`
}

func createDeployment(d *region, in createDeploymentIn) (out createDeploymentOut, err error) {
	g, err := d.group(in.ApplicationName, in.DeploymentGroupName)
	if err != nil {
		return out, err
	}
	revision, err := in.Revision.parse()
	if err != nil {
		return out, err
	}
	config := cmp.Or(in.DeploymentConfigName, g.config())
	if _, err := shiftOf(config); err != nil {
		return out, err
	}
	if a := g.attempted; a != nil && !a.ended() {
		return out, awsapi.Errorf("DeploymentLimitExceededException",
			"The Deployment Group '%s' already has an active Deployment '%s'", g.DeploymentGroupName, a.id)
	}
	n := &deployment{
		group: g, revision: revision, config: config, description: in.Description, creator: "user",
		rollbackOn: cmp.Or(in.AutoRollback, g.AutoRollback),
	}
	d.begin(n)
	return createDeploymentOut{n.id}, nil
}

func (r *revisionLocation) parse() (*revision, error) {
	switch {
	case r == nil:
		return nil, awsapi.NewError("RevisionRequiredException", "Revision is required")
	case r.RevisionType != "AppSpecContent" || r.AppSpecContent == nil:
		return nil, awsapi.Errorf("InvalidRevisionException",
			"the sandbox takes revisions of the type AppSpecContent only, not %q", r.RevisionType)
	}
	spec, err := parseAppSpec(r.AppSpecContent.Content)
	if err != nil {
		return nil, awsapi.Errorf("InvalidRevisionException", "%v", err)
	}
	revision := &revision{r.AppSpecContent.Content, spec}
	if given := r.AppSpecContent.SHA256; given != "" && given != revision.sha256() {
		return nil, awsapi.Errorf("InvalidRevisionException", "the SHA-256 of the AppSpec is %s, not %s",
			revision.sha256(), given)
	}
	return revision, nil
}

// begin adds a deployment and starts it.
func (d *region) begin(n *deployment) {
	n.id = "d-" + rand.Text()[:9]
	n.status = "Created"
	n.createdAt = d.ecs.Now()
	if n.group.successful != nil {
		n.previous = n.group.successful.revision
	}
	n.group.attempted = n
	d.deployments = append(d.deployments, n)
	d.start(n)
}

type deploymentIn struct {
	DeploymentID string `json:"deploymentId"`
}

func (d *region) deployment(id string) (*deployment, error) {
	if id == "" {
		return nil, awsapi.NewError("DeploymentIdRequiredException", "Deployment ID is required")
	}
	for _, n := range d.deployments {
		if n.id == id {
			return n, nil
		}
	}
	return nil, awsapi.Errorf("DeploymentDoesNotExistException", "The deployment %s could not be found", id)
}

type deploymentOut struct {
	Info map[string]any `json:"deploymentInfo"`
}

func getDeployment(d *region, in deploymentIn) (out deploymentOut, err error) {
	n, err := d.deployment(in.DeploymentID)
	if err != nil {
		return out, err
	}
	return deploymentOut{n.describe()}, nil
}

func (d *deployment) describe() map[string]any {
	out := map[string]any{
		"applicationName":                    d.group.ApplicationName,
		"deploymentGroupName":                d.group.DeploymentGroupName,
		"deploymentConfigName":               d.config,
		"deploymentId":                       d.id,
		"status":                             d.status,
		"createTime":                         awsapi.Stamp(d.createdAt),
		"deploymentOverview":                 d.overview(),
		"creator":                            d.creator,
		"computePlatform":                    "ECS",
		"deploymentStyle":                    d.group.fields["deploymentStyle"],
		"blueGreenDeploymentConfiguration":   d.group.fields["blueGreenDeploymentConfiguration"],
		"loadBalancerInfo":                   d.group.fields["loadBalancerInfo"],
		"ignoreApplicationStopFailures":      false,
		"updateOutdatedInstancesOnly":        false,
		"fileExistsBehavior":                 "DISALLOW",
		"deploymentStatusMessages":           []string{},
		"instanceTerminationWaitTimeStarted": d.terminationWait,
	}
	set := func(name string, there bool, value func() any) {
		if there {
			out[name] = value()
		}
	}
	set("revision", d.revision != nil, func() any { return d.revision.describe() })
	set("description", d.description != "", func() any { return d.description })
	set("startTime", !d.startedAt.IsZero(), func() any { return awsapi.Stamp(d.startedAt) })
	set("completeTime", !d.completedAt.IsZero(), func() any { return awsapi.Stamp(d.completedAt) })
	set("errorInformation", d.failure != "", func() any { return map[string]any{"code": d.failure, "message": d.message} })
	set("autoRollbackConfiguration", d.rollbackOn != nil, func() any { return d.rollbackOn })
	set("previousRevision", d.previous != nil, func() any { return d.previous.describe() })
	set("rollbackInfo", d.rollback != nil || d.trigger != nil, func() any { return d.rollbackInfo() })
	return out
}

func (d *deployment) rollbackInfo() map[string]any {
	if d.rollback != nil {
		return map[string]any{
			"rollbackDeploymentId": d.rollback.id,
			"rollbackMessage":      fmt.Sprintf("Deployment %s rolls back to the task set before this deployment: %s.", d.rollback.id, d.rollback.status),
		}
	}
	return map[string]any{
		"rollbackTriggeringDeploymentId": d.trigger.id,
		"rollbackMessage":                fmt.Sprintf("Deployment %s has %s; this deployment rolls back to the task set before it.", d.trigger.id, d.trigger.status),
	}
}

// overview counts the one target of a deployment to ECS, its service.
func (d *deployment) overview() map[string]int {
	out := map[string]int{"Pending": 0, "InProgress": 0, "Succeeded": 0, "Failed": 0, "Skipped": 0, "Ready": 0}
	switch d.status {
	case "Created", "Queued":
		out["Pending"] = 1
	case "Stopped":
		out["Skipped"] = 1
	default:
		out[d.status] = 1
	}
	return out
}

// last returns a LastDeploymentInfo.
func (d *deployment) last() map[string]any {
	out := map[string]any{"deploymentId": d.id, "status": d.status, "createTime": awsapi.Stamp(d.createdAt)}
	if d.ended() {
		out["endTime"] = awsapi.Stamp(d.completedAt)
	}
	return out
}

type stopDeploymentIn struct {
	deploymentIn
	AutoRollbackEnabled *bool `json:"autoRollbackEnabled"`
}

type stopDeploymentOut struct {
	Status        string `json:"status"`
	StatusMessage string `json:"statusMessage"`
}

func stopDeployment(d *region, in stopDeploymentIn) (out stopDeploymentOut, err error) {
	n, err := d.deployment(in.DeploymentID)
	if err != nil {
		return out, err
	}
	if n.ended() {
		return out, awsapi.Errorf("DeploymentAlreadyCompletedException",
			"The deployment %s is already in a terminal state: %s", n.id, n.status)
	}
	back := n.rollbackOn.on("DEPLOYMENT_STOP_ON_REQUEST")
	if in.AutoRollbackEnabled != nil {
		back = *in.AutoRollbackEnabled
	}
	d.end(n, "Stopped", "MANUAL_STOP", "The deployment was stopped on request.", back)
	return stopDeploymentOut{"Succeeded", "The deployment was stopped."}, nil
}

type listDeploymentsIn struct {
	pageIn
	groupIn
	IncludeOnlyStatuses []string `json:"includeOnlyStatuses"`
	CreateTimeRange     struct {
		Start *float64 `json:"start"` // seconds since 1970
		End   *float64 `json:"end"`
	} `json:"createTimeRange"`
}

type listDeploymentsOut struct {
	Deployments []string `json:"deployments"`
	NextToken   string   `json:"nextToken,omitempty"`
}

// listDeployments returns the newest first.
func listDeployments(d *region, in listDeploymentsIn) (out listDeploymentsOut, err error) {
	var only *group
	if in.ApplicationName != "" || in.DeploymentGroupName != "" {
		if only, err = d.group(in.ApplicationName, in.DeploymentGroupName); err != nil {
			return out, err
		}
	}
	var ids []string
	place := map[string]string{}
	for i, n := range slices.Backward(d.deployments) {
		if only != nil && n.group != only || !in.matches(n) {
			continue
		}
		ids = append(ids, n.id)
		place[n.id] = fmt.Sprintf("%08d", 99_999_999-i) // stays when newer ones come
	}
	out.Deployments, out.NextToken, err = in.of(ids, func(id string) string { return place[id] })
	return out, err
}

func (in listDeploymentsIn) matches(n *deployment) bool {
	created := float64(n.createdAt.UnixMilli()) / 1000
	from, to := in.CreateTimeRange.Start, in.CreateTimeRange.End
	return (len(in.IncludeOnlyStatuses) == 0 || slices.Contains(in.IncludeOnlyStatuses, n.status)) &&
		(from == nil || created >= *from) && (to == nil || created <= *to)
}
