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

// deploymentInfoAPI tells of one CodeDeploy deployment.
type deploymentInfoAPI interface {
	GetDeployment(context.Context, *codedeploy.GetDeploymentInput, ...func(*codedeploy.Options)) (*codedeploy.GetDeploymentOutput, error)
}

// CodeDeploy reads the deployment, and the one that undoes it where there is one.
func (f Follower) codeDeploy(ctx context.Context, w *tracker) error {
	var err error
	if w.undo == nil {
		if w.code, err = f.codeDeployment(ctx, w.d.ID); err != nil {
			return err
		}
	}
	if id := undoneBy(w.code); id != "" {
		w.undo, err = f.codeDeployment(ctx, id)
	}
	return err
}

func (f Follower) codeDeployment(ctx context.Context, id string) (*codetypes.DeploymentInfo, error) {
	if f.CodeDeploy == nil {
		return nil, errors.New("following CodeDeploy deployment " + id + ": there is no CodeDeploy client")
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

func undoneBy(info *codetypes.DeploymentInfo) string {
	if info == nil || info.RollbackInfo == nil {
		return ""
	}
	return aws.ToString(info.RollbackInfo.RollbackDeploymentId)
}

// taskSet is the task set that the CodeDeploy deployment made, nil until there is one.
func (w *tracker) taskSet() *types.TaskSet {
	if w.service == nil {
		return nil
	}
	for _, set := range w.service.TaskSets {
		if aws.ToString(set.ExternalId) == w.d.ID {
			return &set
		}
	}
	return nil
}

func (w *tracker) codeDeployStage() string {
	if w.undo != nil {
		return "rolling back with CodeDeploy deployment " + aws.ToString(w.undo.DeploymentId)
	}
	if w.code == nil {
		return ""
	}
	switch w.code.Status {
	case codetypes.DeploymentStatusCreated, codetypes.DeploymentStatusQueued:
		return "waiting to begin"
	case codetypes.DeploymentStatusReady:
		return "the new tasks are ready and wait for traffic to be rerouted (aws deploy continue-deployment --deployment-id " + shell.Word(w.d.ID) + ")"
	case codetypes.DeploymentStatusBaking:
		return "baking: old and new tasks run side by side"
	case codetypes.DeploymentStatusInProgress:
		if w.code.InstanceTerminationWaitTimeStarted {
			return "the new tasks have the traffic, the old ones wait to be stopped"
		}
		return "under way"
	default:
		return ""
	}
}

// codeDeployEnd judges a CodeDeploy deployment.
func (w *tracker) codeDeployEnd() (end, string) {
	if w.code == nil {
		return underWay, ""
	}
	switch w.code.Status {
	case codetypes.DeploymentStatusSucceeded:
		return arrived, ""
	case codetypes.DeploymentStatusFailed, codetypes.DeploymentStatusStopped:
	default:
		if w.oldKept() {
			return arrived, ""
		}
		return underWay, ""
	}
	reason := codeDeployReason(*w.code)
	if w.undo == nil {
		// The rollback is a deployment of its own and shows a moment later.
		if willUndo(*w.code) {
			return undecided, reason
		}
		return failed, reason
	}
	switch w.undo.Status {
	case codetypes.DeploymentStatusSucceeded:
		return rolledBack, reason
	case codetypes.DeploymentStatusFailed, codetypes.DeploymentStatusStopped:
		return failed, join(reason, "and the rollback "+aws.ToString(w.undo.DeploymentId)+" "+string(w.undo.Status), codeDeployReason(*w.undo))
	default:
		return underWay, ""
	}
}

// oldKept tells whether the new task set has all the traffic and CodeDeploy only waits
// before it ends the old one, which may take two days. It says so itself
// (instanceTerminationWaitTimeStarted); else the new task set is the primary one and
// steady, once the traffic has had the time to move in steps.
func (w *tracker) oldKept() bool {
	if w.code == nil {
		return false
	}
	switch w.code.Status {
	case codetypes.DeploymentStatusInProgress, codetypes.DeploymentStatusBaking:
	default:
		return false
	}
	if w.code.InstanceTerminationWaitTimeStarted {
		return true
	}
	set := w.taskSet()
	return set != nil && aws.ToString(set.Status) == "PRIMARY" && set.StabilityStatus == types.StabilityStatusSteadyState &&
		time.Since(w.began()) >= w.d.Wait
}

func codeDeployReason(info codetypes.DeploymentInfo) string {
	reason := "CodeDeploy calls it " + string(info.Status)
	if e := info.ErrorInformation; e != nil {
		reason = join(reason, string(e.Code), aws.ToString(e.Message))
	}
	if r := info.RollbackInfo; r != nil {
		reason = join(reason, aws.ToString(r.RollbackMessage))
	}
	return reason
}

// willUndo tells whether CodeDeploy is set to roll such an end back.
func willUndo(info codetypes.DeploymentInfo) bool {
	auto := info.AutoRollbackConfiguration
	if auto == nil || !auto.Enabled {
		return false
	}
	return slices.ContainsFunc(auto.Events, func(e codetypes.AutoRollbackEvent) bool {
		return (e == codetypes.AutoRollbackEventDeploymentFailure) == (info.Status == codetypes.DeploymentStatusFailed)
	})
}
