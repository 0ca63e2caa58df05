package build_test

import (
	"errors"
	"strings"
	"testing"

	"slipway/build"
	"slipway/internal/enginetest"
)

func TestExplicitEngine(t *testing.T) {
	e := enginetest.Shared(t)
	t.Parallel()
	found, err := build.FindEngine(t.Context(), build.EngineOptions{Address: e.Addr, AddressFrom: "BUILDKIT_HOST"})
	if err != nil {
		t.Fatal(err)
	}
	if found.Address != e.Addr || found.Kind != "buildkitd" || found.Why != "named by BUILDKIT_HOST" || found.Fresh {
		t.Errorf("%+v", found)
	}
	if err := found.Close(t.Context()); err != nil {
		t.Error(err)
	}
	// Closing hangs up and stops nothing.
	if _, err := e.Client(t).ListWorkers(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestExplicitEngineThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	addr := "unix://" + t.TempDir() + "/none.sock"
	_, err := build.FindEngine(t.Context(), build.EngineOptions{Address: addr, AddressFrom: "--engine"})
	var none *build.NoEngineError
	if !errors.As(err, &none) || none.Hint() == "" {
		t.Fatalf("want a *NoEngineError, have %v", err)
	}
	if want := "no BuildKit engine: --engine: no engine answers at " + addr + ": "; !strings.HasPrefix(err.Error(), want) || len(err.Error()) == len(want) {
		t.Errorf("%v", err)
	}
}

func TestEngineAddressWithoutAScheme(t *testing.T) {
	t.Parallel()
	_, err := build.FindEngine(t.Context(), build.EngineOptions{Address: "localhost:1234", AddressFrom: "--engine"})
	wantInputError(t, err, `--engine: "localhost:1234" is no engine address`)
}

func TestNoEngineErrorListsWhatWasTried(t *testing.T) {
	err := &build.NoEngineError{Tried: []string{"a: refused", "our own: no binary"}}
	if err.Error() != "no BuildKit engine: a: refused; our own: no binary" {
		t.Errorf("%v", err)
	}
}
