package cmd

import (
	"fmt"
	"strconv"

	"github.com/spf13/pflag"
)

// optionalBool is a flag that is true, false, or not given.
type optionalBool struct{ value **bool }

var _ pflag.Value = optionalBool{}

// addOptionalBool adds a flag for which nil means that it was not given.
func addOptionalBool(f *pflag.FlagSet, value **bool, name, usage string) {
	f.Var(optionalBool{value}, name, usage)
	f.Lookup(name).NoOptDefVal = "true"
}

// String returns the value, empty where none was given.
func (o optionalBool) String() string {
	if o.value == nil || *o.value == nil {
		return ""
	}
	return strconv.FormatBool(**o.value)
}

// Set parses a boolean.
func (o optionalBool) Set(s string) error {
	v, err := strconv.ParseBool(s)
	if err != nil {
		return fmt.Errorf("want true or false, have %q", s)
	}
	*o.value = &v
	return nil
}

// Type is the flag's type in the help.
func (o optionalBool) Type() string { return "bool" }
