package hint

import (
	"strings"

	"slipway/internal/awsname"
	"slipway/internal/shell"
	"slipway/retention"
	"slipway/rollout"
	"slipway/rollout/ecs"
	"slipway/rollout/oneoff"
)

// rolloutHint returns the hints for errors of rollout, rollout/status and retention.
func rolloutHint(err error) string {
	switch e := err.(type) {
	case *retention.Error:
		return retentionHints[e.Problem]
	case *oneoff.BusyError:
		return "wait for its end, or stop it with `aws ecs stop-task" + clusterFlag(e.Cluster) + " --task " + shell.Word(e.Task) + "`"
	case *oneoff.FailedError:
		if e.Status == oneoff.TimedOut {
			return "find in its log why it does not end, or give it more time with --before-timeout"
		}
		return ""
	case *rollout.Error:
		flags := Flags(e.Services...)
		hint := strings.ReplaceAll(rolloutHints[e.Problem], "AWSFLAGS", strings.ReplaceAll(flags, "--ecs-service", "--service"))
		hint = strings.ReplaceAll(hint, "FLAGS", flags)
		return strings.ReplaceAll(hint, "REVISION", revisionOr(e.Problem, e.Revision))
	default:
		return ""
	}
}

// revisionOr returns the name of a revision. If it is not known, it returns a
// placeholder, or the flag for the images before the deployment that failed.
func revisionOr(p rollout.Problem, name string) string {
	switch {
	case name != "":
		return name
	case p == rollout.Stalled:
		return "--previous"
	default:
		return "REVISION"
	}
}

// Flags returns the flags that name ECS services of one cluster, with a space
// before each.
func Flags(refs ...ecs.Ref) string {
	var out strings.Builder
	for i, ref := range refs {
		if i == 0 && ref.Cluster != "" {
			out.WriteString(" --cluster " + shell.Word(ref.Cluster))
		}
		out.WriteString(" --ecs-service " + shell.Word(ref.Service))
	}
	return out.String()
}

// clusterFlag returns the flag that names a cluster to the AWS CLI, with a space before it.
func clusterFlag(cluster string) string {
	if cluster == "" {
		return ""
	}
	return " --cluster " + shell.Word(awsname.LastPart(cluster))
}

// ContinueCommand and AbortCommand are the commands that answer a paused deployment
// of an ECS service, from any directory.
func ContinueCommand(ref ecs.Ref) string { return "slipway rollout --continue" + Flags(ref) }

func AbortCommand(ref ecs.Ref) string { return "slipway rollout --abort" + Flags(ref) }

// rolloutHints are the hints for the problems of a rollout. FLAGS stands for the flags
// that name the services, AWSFLAGS for those of the AWS CLI, REVISION for the name of the
// revision.
var rolloutHints = map[rollout.Problem]string{
	rollout.NoPause:         "type `slipway status` to see the deployments of the services",
	rollout.TagsLeft:        "run `slipway statusFLAGS` to see whether they agree",
	rollout.NoFile:          "run slipway build, which writes it, name it with --definitions, or name a revision",
	rollout.BadFile:         "let slipway build write it, or correct it",
	rollout.TwoFiles:        "give one file for each service: --definitions ECS-SERVICE=FILE",
	rollout.UnknownFile:     "write --definitions ECS-SERVICE=FILE",
	rollout.NoImage:         "run `slipway revisions` to list the revisions, or `slipway build` to build it again",
	rollout.UntrustedImage:  "build the commit where it is trusted, and deploy that revision: slipway build",
	rollout.NoContainer:     "let x-slipway.repository name the repository of the task definition, or type `slipway rollout REVISION` to write the image into the task definition",
	rollout.NoHistory:       "run `slipway revisions` and name one of the revisions",
	rollout.Superseded:      "slipway status shows where things stand; then type the command again if it is still wanted",
	rollout.SupersededBuild: "let one job at a time publish; `slipway status` shows the running images",
	rollout.NotConfirmed:    "answer y, or give --yes",
	rollout.Changed:         "type the command again to see what it is now",
	rollout.NotResumed:      "run `slipway statusFLAGS` to compare them",
	rollout.Uneven:          "run `slipway rollback REVISIONFLAGS` to deploy the same revision everywhere",
	rollout.Unfollowed:      "run `slipway statusFLAGS` to see how it ends",
	rollout.RunningSettings: "check out the commit of the images and type `slipway build --rollout` to deploy its settings, too",
	rollout.OtherSettings:   "type `slipway task --diff` to see the values, or `slipway build --rollout` to deploy them",
	rollout.OtherBuild:      "run `slipway build`, which writes both files",
	rollout.NotAdopted:      "give --adopt to replace these settings by those of the compose file; `slipway task --diff` shows the values",
	rollout.UnknownSettings: "name the stack that has them with x-slipway.task.stack: `slipway stack` lists templates",
	rollout.Unreadable:      "allow the action that the message names: `slipway buildspec iam` prints the policy. AWS may answer so for a secret that does not exist, too: `slipway secrets` lists them",
	rollout.NoTasks:         "run `slipway start`",
	rollout.Unlike:          "run `slipway statusFLAGS` to see the running images",
	rollout.Gone:            "run `slipway revisions` to list the revisions, and roll out another one",
	rollout.NotLatest:       "run `slipway rolloutFLAGS` to deploy the last build, or `slipway rollback REVISIONFLAGS` to move the tags",
	rollout.Expiring:        "run `slipway rollback REVISIONFLAGS` to let latest protect it",
	rollout.Mixed:           "run `slipway rollback REVISIONFLAGS` to make them one",
	rollout.Endless:         "run `slipway rollback --previousFLAGS` to replace it",
	rollout.Blocked:         "raise maximumPercent: `aws ecs update-serviceAWSFLAGS --deployment-configuration maximumPercent=200`",
	rollout.NotAdmitted:     "push the image to ECR, or leave out --require-scan and --require-signature",
	rollout.TagsRefused:     "allow the action that the message names, or give --no-latest, which deploys without tags",
	rollout.Older:           "run `slipway rollout REVISIONFLAGS` to deploy the last build; `slipway rollback` goes back without a warning",
	rollout.NoService:       "give --create-service to create it from the compose file and its stack, or correct the name in x-slipway.ecs",
	rollout.Draining:        "wait until it is INACTIVE, and type the command again",
	rollout.NoDefinition:    "let the compose file own its settings with x-slipway: {task: {stack: NAME}}, and run `slipway build`, which writes taskdefinition.json",
	rollout.NoStack:         "name the stack with its network and endpoint in x-slipway.task.stack: `slipway stack` lists templates",
	rollout.OneTargetGroup:  "deploy the template site-api, which has an endpoint for each service, or give each a stack and a compose file of its own",
	rollout.FirstFailed:     "correct the cause and type the command again: it updates the service",
	rollout.Stalled:         "run `slipway rollback REVISIONFLAGS` to deploy it again",
}

// retentionHints are the hints for policies that were not written.
var retentionHints = map[retention.Problem]string{
	retention.NotAgreed:   "type `slipway retention --apply` with the same arguments to let them expire",
	retention.NoTerminal:  "give --yes to let the images and objects above expire",
	retention.Declined:    "answer y, or give --yes",
	retention.Unprotected: "protect it with `slipway build`, or with `slipway rollback` to the revision that runs, and type the command again",
}
