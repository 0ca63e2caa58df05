package fault_test

import (
	"errors"
	"fmt"
	"testing"

	"slipway/internal/fault"
)

func TestKindOf(t *testing.T) {
	plain := errors.New("it failed")
	aws := fault.New(fault.AWS, plain, "log in again")
	usage := fault.New(fault.Usage, plain, "leave the flag out")
	input := fault.NewInput("compose.yaml", "has no services", "add one")
	rollout := fault.New(fault.Rollout, plain, "")
	for name, test := range map[string]struct {
		err  error
		want fault.Kind
	}{
		"no error":                  {nil, fault.Other},
		"no kind":                   {plain, fault.Other},
		"its own":                   {aws, fault.AWS},
		"wrapped":                   {fmt.Errorf("publishing: %w", aws), fault.AWS},
		"input wrapped as AWS":      {fault.New(fault.AWS, input, ""), fault.Input},
		"usage before AWS":          {errors.Join(aws, usage), fault.Usage},
		"rollout before all others": {errors.Join(aws, input, fmt.Errorf("deploying: %w", rollout)), fault.Rollout},
		"Other hides nothing":       {fault.New(fault.Other, aws, ""), fault.AWS},
	} {
		if got := fault.KindOf(test.err); got != test.want {
			t.Errorf("%s: KindOf(%v) = %d, want %d", name, test.err, got, test.want)
		}
	}
}

func TestHintOf(t *testing.T) {
	inner := fault.New(fault.AWS, errors.New("refused"), "log in again")
	for want, err := range map[string]error{
		"":             errors.New("it failed"),
		"log in again": fmt.Errorf("publishing: %w", inner),
		"wait":         fault.New(fault.Timeout, inner, "wait"),
		"add one":      fault.NewInput("compose.yaml", "has no services", "add one"),
	} {
		if got := fault.HintOf(err); got != want {
			t.Errorf("HintOf(%v) = %q, want %q", err, got, want)
		}
	}
}

func TestInputError(t *testing.T) {
	err := &fault.InputError{Where: "services.\x1b[31mweb", Problem: "cannot be read", Err: errors.New("no such file")}
	if got, want := err.Error(), `services.\x1b[31mweb: cannot be read: no such file`; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	if got, want := (&fault.InputError{Err: errors.New("no such file")}).Error(), "no such file"; got != want {
		t.Errorf("Error() without a place = %q, want %q", got, want)
	}
}

type tableError struct{ error }

func TestHintsFromTables(t *testing.T) {
	table := func(err error) string {
		if _, ok := err.(*tableError); ok {
			return "from the table"
		}
		return ""
	}
	inner := &tableError{fault.New(fault.AWS, errors.New("refused"), "innermost")}
	for want, err := range map[string]error{
		"from the table": fault.New(fault.AWS, fmt.Errorf("publishing: %w", inner), ""),
		"outermost":      fault.New(fault.AWS, inner, "outermost"),
		"innermost":      errors.Join(fault.New(fault.AWS, errors.New("refused"), "innermost"), inner),
		"":               errors.New("refused"),
	} {
		if got := fault.HintOf(err, table); got != want {
			t.Errorf("HintOf(%v) = %q, want %q", err, got, want)
		}
	}
}
