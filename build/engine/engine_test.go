package engine_test

import (
	"errors"
	"strings"
	"testing"

	"slipway/build/engine"
	"slipway/internal/enginetest"
)

func TestExplicitEngine(t *testing.T) {
	e := enginetest.Shared(t)
	t.Parallel()
	engines, err := engine.Find(t.Context(), engine.Options{Address: e.Addr, AddressFrom: "BUILDKIT_HOST"})
	if err != nil {
		t.Fatal(err)
	}
	found := engines[0]
	if found.Address != e.Addr || found.Kind != engine.Buildkitd || !found.SameHost || found.Why != "named by BUILDKIT_HOST" || found.Fresh {
		t.Errorf("Find = %+v, want the buildkitd on this host at %s that BUILDKIT_HOST names", found, e.Addr)
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
	_, err := engine.Find(t.Context(), engine.Options{Address: addr, AddressFrom: "--engine"})
	var none *engine.NotFoundError
	if !errors.As(err, &none) || len(none.Causes) == 0 {
		t.Fatalf("want a *engine.NotFoundError, have %v", err)
	}
	if want := "no BuildKit engine: --engine: no engine answers at " + addr + ": "; !strings.HasPrefix(err.Error(), want) || len(err.Error()) == len(want) {
		t.Errorf("got error %v, want %s and the cause", err, want)
	}
}

func TestEngineAddressWithoutAScheme(t *testing.T) {
	t.Parallel()
	_, err := engine.Find(t.Context(), engine.Options{Address: "localhost:1234", AddressFrom: "--engine"})
	var bad *engine.AddressError
	if !errors.As(err, &bad) || err.Error() != `--engine: "localhost:1234" is not an engine address` || bad.Hint() == "" {
		t.Errorf("Find = %v, want an AddressError with a hint: not an engine address", err)
	}
}

func TestNoEngineErrorListsWhatWasTried(t *testing.T) {
	err := &engine.NotFoundError{Tried: []string{"a: refused", "managed engine: no binary"}}
	if err.Error() != "no BuildKit engine: a: refused; managed engine: no binary" {
		t.Errorf("got error %v, want the engines that were tried", err)
	}
}
