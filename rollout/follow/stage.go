package follow

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// stageWords say what happens in the stages of a deployment that shifts
// traffic. The meanings are those of ServiceDeployment.lifecycleStage in ECS's
// API reference.
var stageWords = map[types.ServiceDeploymentLifecycleStage]string{
	types.ServiceDeploymentLifecycleStageReconcileService:           "reconciling the running revisions",
	types.ServiceDeploymentLifecycleStagePreScaleUp:                 "before the new tasks start",
	types.ServiceDeploymentLifecycleStageScaleUp:                    "starting the new tasks",
	types.ServiceDeploymentLifecycleStagePostScaleUp:                "the new tasks are up, without traffic",
	types.ServiceDeploymentLifecycleStageTestTrafficShift:           "shifting test traffic",
	types.ServiceDeploymentLifecycleStagePostTestTrafficShift:       "test traffic goes to the new tasks",
	types.ServiceDeploymentLifecycleStageProductionTrafficShift:     "shifting production traffic",
	types.ServiceDeploymentLifecycleStagePostProductionTrafficShift: "production traffic goes to the new tasks",
	types.ServiceDeploymentLifecycleStageBakeTime:                   "baking: old and new tasks run side by side",
	types.ServiceDeploymentLifecycleStageCleanUp:                    "stopping the old tasks",
	stagePreProduction: "before production traffic is shifted",
}

// stagePreProduction is a stage that the SDK lists in its comments only.
const stagePreProduction types.ServiceDeploymentLifecycleStage = "PRE_PRODUCTION_TRAFFIC_SHIFT"

// reportStage reports a stage that differs from the last one.
func (tr *tracker) reportStage() bool {
	stage := tr.stageNow()
	if stage == "" || stage == tr.stage {
		return false
	}
	tr.stage = stage
	tr.event(Stage, stage)
	tr.reportPause()
	return true
}

// reportPause reports a lifecycle hook that waits for an answer, once for each.
func (tr *tracker) reportPause() {
	if tr.deployment == nil {
		return
	}
	if p, ok := pauseOf(*tr.deployment); ok && !tr.reported[p.Hook] {
		tr.reported[p.Hook] = true
		tr.event(Paused, p.String())
	}
}

func (tr *tracker) stageNow() string {
	switch {
	case tr.byCodeDeploy():
		return tr.codeDeployStage()
	case tr.deployment != nil:
		return deploymentStage(*tr.deployment)
	case tr.withoutServiceDeployments:
		if e := tr.listedNow(); e != nil && e.RolloutState == types.DeploymentRolloutStateInProgress {
			return "under way"
		}
	}
	return ""
}

// deploymentStage says in plain words where a service deployment stands,
// nothing for one that has ended.
func deploymentStage(sd types.ServiceDeployment) string {
	text := ""
	switch sd.Status {
	case types.ServiceDeploymentStatusPending:
		text = "waiting to begin"
	case types.ServiceDeploymentStatusInProgress:
		text = "under way"
	case types.ServiceDeploymentStatusStopRequested:
		text = "to be stopped"
	case types.ServiceDeploymentStatusRollbackRequested:
		text = "to be rolled back"
	case types.ServiceDeploymentStatusRollbackInProgress:
		text = join("rolling back", rollbackReason(sd))
	default:
		return ""
	}
	if sd.LifecycleStage != "" {
		words := stageWords[sd.LifecycleStage]
		if words == "" {
			words = strings.ToLower(strings.ReplaceAll(string(sd.LifecycleStage), "_", " "))
		}
		if sd.Status == types.ServiceDeploymentStatusInProgress {
			text = words
		} else {
			text += ", " + words
		}
	}
	if p, ok := pauseOf(sd); ok {
		text += " (" + p.String() + ")"
	}
	return text
}

func rollbackReason(sd types.ServiceDeployment) string {
	if sd.Rollback == nil {
		return ""
	}
	return aws.ToString(sd.Rollback.Reason)
}
