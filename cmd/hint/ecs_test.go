package hint

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/rollout/ecs"
)

func TestECSHints(t *testing.T) {
	failed := errors.New("it failed")
	busy := &ecs.BusyError{Deployment: "d-1", Err: failed}
	for _, test := range []struct {
		err  error
		kind fault.Kind
		hint string
	}{
		{&ecs.MissingError{}, fault.Usage, "--ecs-service"},
		{&ecs.MissingError{Vanished: true}, fault.AWS, "--ecs-service"},
		{&ecs.ContainerError{}, fault.Usage, "x-slipway.container"},
		{&ecs.ControllerError{}, fault.Usage, "recreate the service"},
		{&ecs.CountError{}, fault.Usage, "--count"},
		{&ecs.DaemonError{}, fault.Usage, "container instances"},
		{&ecs.GroupError{Err: failed}, fault.AWS, "CodeDeploy once"},
		{busy, fault.AWS, "--deployment-id d-1"},
		{&ecs.DeployError{Started: true, Err: failed}, fault.AWS, "`slipway status`"},
		{&ecs.DeployError{Started: true, Err: busy}, fault.AWS, "--deployment-id d-1"},
		{&ecs.DeployError{Err: failed}, fault.AWS, ""},
	} {
		err := fault.As(fault.AWS, fmt.Errorf("wrapped: %w", test.err))
		if kind := awsclient.KindOf(err); kind != test.kind {
			t.Errorf("awsclient.KindOf(%T %+v) = %d, want %d", test.err, test.err, kind, test.kind)
		}
		if hint := Of(err); !strings.Contains(hint, test.hint) || test.hint == "" && hint != "" {
			t.Errorf("Of(%T %+v) = %q, want %q in it", test.err, test.err, hint, test.hint)
		}
	}
}
