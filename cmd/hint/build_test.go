package hint

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"slipway/build"
	"slipway/build/engine"
	"slipway/build/revision"
	"slipway/build/solve"
	"slipway/buildspec/iam"
	"slipway/internal/fault"
	"slipway/project/compose"
)

func TestHintsOfTheStages(t *testing.T) {
	silent := func(address string, err error) error {
		return &engine.SilentError{From: "--engine", Address: address, Err: err}
	}
	down := errors.New("connection refused")
	for want, err := range map[string]error{
		"--allow fs.read=/etc/x":           &fault.InputError{Where: ".env", Err: &compose.OutsideError{Path: "/etc/x"}},
		"--engine linux/amd64=…,linux/s=…": &fault.InputError{Err: &solve.PlatformError{Platform: "linux/s", Engines: []string{"linux/amd64"}}},
		"--file":                           &fault.InputError{Err: compose.ErrNoProject},
		"--hash":                           revision.ErrNoSource,
		"or name the build with --hash":    &revision.GitError{Dir: "/x", Err: down},
		"set BUILDKIT_HOST (or --engine)":  &engine.NotFoundError{Causes: []error{down}},
		"--engine-tls":                     &engine.NotFoundError{Causes: []error{silent("tcp://a:1", down)}},
		"--group":                          silent("unix:///run/b.sock", fs.ErrPermission),
		"--engine docker":                  silent("unix:///run/docker.sock", down),
		"--engine managed":                 &engine.CannotError{Engine: &engine.Engine{Kind: engine.Docker}, Lacks: []string{"x"}},
		"--engine-network bridge":          &engine.NetworkError{Reason: "x"},
		"wait for the other job":           &engine.SharedError{},
		"shorter path with --engine-state": &engine.StateError{Err: down, TooLong: true},
		"remove this one":                  &engine.StateError{Err: down},
		"slipway doctor":                   &build.FailedError{Lost: true},
		"--allow-insecure-entitlement x":   &build.FailedError{Refusal: &solve.Refusal{Grant: "x", ByEngine: true}},
		"--create-repositories":            &iam.UseError{Reason: iam.UntrustedWrites},
		"--ecs-service":                    &iam.UseError{Reason: iam.NoService},
	} {
		if got := Of(err); !strings.Contains(got, want) {
			t.Errorf("Of(%T) = %q, want it to name %q", err, got, want)
		}
	}
}
