package cmd

import (
	"fmt"

	"slipway/internal/fault"
)

// checkNamed refuses a value of a flag or variable that does not follow AWS's grammar.
// Empty ones are left to what they default to.
func checkNamed(where, value, remedy string, check func(string) error) error {
	if value == "" {
		return nil
	}
	if err := check(value); err != nil {
		return fault.New(fault.Usage, fmt.Errorf("%s: %w", where, err), remedy)
	}
	return nil
}
