package oneoff

import (
	"context"
	"fmt"
	"strings"

	"slipway/internal/awsname"
	"slipway/internal/fault"
	"slipway/internal/plain"
	"slipway/rollout/ecs"
	"slipway/rollout/task/diff"
)

// register finds the task definition to run, and registers it if the newest revision of
// its family differs.
func (j *job) register(ctx context.Context) error {
	family := j.Definition.Input.Family
	newest, _, err := ecs.ReadFamily(ctx, j.ECS, family)
	if err != nil {
		return fmt.Errorf("one-off task %s: %w", j.name, err)
	}
	next, differs, err := diff.Next(j.Definition, diff.Running{Fields: newest.Fields, Tags: newest.Tags}, j.Running)
	switch {
	case err != nil:
		return err
	case len(next.Unknown) > 0:
		return j.unknown(next)
	case !differs:
		j.arn = newest.ARN
	default:
		j.arn, err = ecs.RegisterDefinition(ctx, j.ECS, ecs.Definition{Family: family, Fields: next.Fields, Tags: next.Tags})
		if err != nil {
			return fmt.Errorf("one-off task %s: %w", j.name, err)
		}
		j.Host.Infof("%s: registered task definition %s", j.name, awsname.LastPart(j.arn))
	}
	j.out.TaskDefinition, j.fields = j.arn, next.Fields
	j.startedBy = j.mark()
	return nil
}

// unknown is the error for values that nothing knows.
func (j *job) unknown(next diff.Result) error {
	var places []string
	for _, p := range next.Unknown {
		places = append(places, p.String())
	}
	return fault.NewInput("services."+j.name, plain.Text("these values are known neither from the stack nor from a running task definition: "+strings.Join(places, ", ")),
		"name the stack that has them with x-slipway.task.stack")
}
