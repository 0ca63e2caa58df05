package stack

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Parameter is a parameter of a template ("Parameters" in the CloudFormation template
// reference).
type Parameter struct {
	Name        string `yaml:"-"`
	Type        string `yaml:"Type"`
	Description string `yaml:"Description"`
	// Default is nil if CloudFormation requires a value.
	Default        *string  `yaml:"Default"`
	AllowedPattern string   `yaml:"AllowedPattern"`
	AllowedValues  []string `yaml:"AllowedValues"`
	MinValue       *int     `yaml:"MinValue"`
	MaxValue       *int     `yaml:"MaxValue"`
}

// Check returns an error if CloudFormation refuses the value.
func (p Parameter) Check(value string) error {
	if len(p.AllowedValues) > 0 && !slices.Contains(p.AllowedValues, value) {
		return fmt.Errorf("%s=%s: it must be one of %s", p.Name, value, strings.Join(p.AllowedValues, ", "))
	}
	if p.AllowedPattern != "" {
		pattern, err := regexp.Compile("^(?:" + p.AllowedPattern + ")$")
		if err != nil {
			return fmt.Errorf("parameter %s: %w", p.Name, err)
		}
		if !pattern.MatchString(value) {
			return fmt.Errorf("%s=%s: it must match %s", p.Name, value, p.AllowedPattern)
		}
	}
	if p.Type != "Number" {
		return nil
	}
	n, err := strconv.Atoi(value)
	switch {
	case err != nil:
		return fmt.Errorf("%s=%s: it must be a number", p.Name, value)
	case p.MinValue != nil && n < *p.MinValue:
		return fmt.Errorf("%s=%d: it must be at least %d", p.Name, n, *p.MinValue)
	case p.MaxValue != nil && n > *p.MaxValue:
		return fmt.Errorf("%s=%d: it must be at most %d", p.Name, n, *p.MaxValue)
	}
	return nil
}
