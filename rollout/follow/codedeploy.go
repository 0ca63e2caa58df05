package follow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	codetypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsclient"
	"slipway/internal/shell"
)

// deploymentInfoAPI reads one CodeDeploy deployment.
type deploymentInfoAPI interface {
	GetDeployment(context.Context, *codedeploy.GetDeploymentInput, ...func(*codedeploy.Options)) (*codedeploy.GetDeploymentOutput, error)
}

// CodeDeploy reads the deployment, and the one that undoes it where there is
// one.
func (f Follower) readCodeDeploy(ctx context.Context, tr *tracker) error {
	var err error
	if tr.rollbackInfo == nil {
		if tr.codeInfo, err = f.codeDeployment(ctx, tr.d.ID); err != nil {
			return err
		}
	}
	if id := rollbackID(tr.codeInfo); id != "" {
		tr.rollbackInfo, err = f.codeDeployment(ctx, id)
	}
	return err
}

func (f Follower) codeDeployment(ctx context.Context, id string) (*codetypes.DeploymentInfo, error) {
	if f.CodeDeploy == nil {
		return nil, errors.New("following CodeDeploy deployment " + id + ": no CodeDeploy client")
	}
	out, err := f.CodeDeploy.GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: aws.String(id)})
	if err != nil {
		return nil, fmt.Errorf("reading CodeDeploy deployment %s: %w", id, err)
	}
	if out.DeploymentInfo == nil {
		return nil, awsclient.Incomplete("CodeDeploy", "GetDeployment", "deployment "+id)
	}
	return out.DeploymentInfo, nil
}

func rollbackID(info *codetypes.DeploymentInfo) string {
	if info == nil || info.RollbackInfo == nil {
		return ""
	}
	return aws.ToString(info.RollbackInfo.RollbackDeploymentId)
}

// taskSet returns the task set that the CodeDeploy deployment made, nil until
// there is one.
func (tr *tracker) taskSet() *types.TaskSet {
	if tr.service == nil {
		return nil
	}
	for _, set := range tr.service.TaskSets {
		if aws.ToString(set.ExternalId) == tr.d.ID {
			return &set
		}
	}
	return nil
}

func (tr *tracker) codeDeployStage() string {
	if tr.rollbackInfo != nil {
		return "rolling back with CodeDeploy deployment " + aws.ToString(tr.rollbackInfo.DeploymentId)
	}
	if tr.codeInfo == nil {
		return ""
	}
	switch tr.codeInfo.Status {
	case codetypes.DeploymentStatusCreated, codetypes.DeploymentStatusQueued:
		return "waiting to begin"
	case codetypes.DeploymentStatusReady:
		return "the new tasks are ready and wait for traffic to be rerouted (aws deploy continue-deployment --deployment-id " + shell.Word(tr.d.ID) + ")"
	case codetypes.DeploymentStatusBaking:
		return "baking: old and new tasks run side by side"
	case codetypes.DeploymentStatusInProgress:
		if tr.codeInfo.InstanceTerminationWaitTimeStarted {
			return "the new tasks receive the traffic, the old tasks wait to be stopped"
		}
		return "under way"
	default:
		return ""
	}
}

// codeDeployState returns the state of a CodeDeploy deployment.
func (tr *tracker) codeDeployState() (state, string) {
	if tr.codeInfo == nil {
		return stateInProgress, ""
	}
	switch tr.codeInfo.Status {
	case codetypes.DeploymentStatusSucceeded:
		return stateSuccessful, ""
	case codetypes.DeploymentStatusFailed, codetypes.DeploymentStatusStopped:
	default:
		if tr.keepsOldTaskSet() {
			return stateSuccessful, ""
		}
		return stateInProgress, ""
	}
	reason := codeDeployReason(*tr.codeInfo)
	if tr.rollbackInfo == nil {
		// The rollback is a deployment of its own and shows a moment later.
		if rollsBackAutomatically(*tr.codeInfo) {
			return stateUndecided, reason
		}
		return stateFailed, reason
	}
	switch tr.rollbackInfo.Status {
	case codetypes.DeploymentStatusSucceeded:
		return stateRolledBack, reason
	case codetypes.DeploymentStatusFailed, codetypes.DeploymentStatusStopped:
		return stateFailed, join(reason, "rollback deployment "+aws.ToString(tr.rollbackInfo.DeploymentId)+" is "+string(tr.rollbackInfo.Status), codeDeployReason(*tr.rollbackInfo))
	default:
		return stateInProgress, ""
	}
}

// keepsOldTaskSet reports whether the new task set has all the traffic and
// CodeDeploy only waits before it ends the old one, which may take two days. It
// says so itself (instanceTerminationWaitTimeStarted); else the new task set is
// the primary one and steady, once the traffic has had the time to move in
// steps.
func (tr *tracker) keepsOldTaskSet() bool {
	if tr.codeInfo == nil {
		return false
	}
	switch tr.codeInfo.Status {
	case codetypes.DeploymentStatusInProgress, codetypes.DeploymentStatusBaking:
	default:
		return false
	}
	if tr.codeInfo.InstanceTerminationWaitTimeStarted {
		return true
	}
	set := tr.taskSet()
	return set != nil && aws.ToString(set.Status) == "PRIMARY" && set.StabilityStatus == types.StabilityStatusSteadyState &&
		time.Since(tr.began()) >= tr.d.Wait
}

func codeDeployReason(info codetypes.DeploymentInfo) string {
	reason := "CodeDeploy reports " + string(info.Status)
	if e := info.ErrorInformation; e != nil {
		reason = join(reason, string(e.Code), aws.ToString(e.Message))
	}
	if r := info.RollbackInfo; r != nil {
		reason = join(reason, aws.ToString(r.RollbackMessage))
	}
	return reason
}

// rollsBackAutomatically reports whether CodeDeploy is set to roll such an end
// back.
func rollsBackAutomatically(info codetypes.DeploymentInfo) bool {
	auto := info.AutoRollbackConfiguration
	if auto == nil || !auto.Enabled {
		return false
	}
	return slices.ContainsFunc(auto.Events, func(e codetypes.AutoRollbackEvent) bool {
		return (e == codetypes.AutoRollbackEventDeploymentFailure) == (info.Status == codetypes.DeploymentStatusFailed)
	})
}
