package template

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// parameter is an entry of the section Parameters.
type parameter struct {
	kind, constraint  string
	value             *string // the default
	pattern           *regexp.Regexp
	allowed           []any
	minimum, maximum  *float64
	shortest, longest *float64 // in characters
	noEcho            bool
}

// newParameter reads a parameter. Properties and types that are not known are errors.
func newParameter(name string, fields map[string]any) (p parameter, err error) {
	p.kind = text(fields["Type"])
	if !slices.Contains([]string{"String", "Number", "CommaDelimitedList"}, p.kind) {
		return p, errorf("Template format error: Unrecognized parameter type: %s", p.kind)
	}
	for field, v := range fields {
		switch field {
		case "Type", "Description":
		case "Default":
			s := text(v)
			p.value = &s
		case "AllowedPattern":
			p.pattern, err = regexp.Compile("^(?:" + text(v) + ")$")
		case "AllowedValues":
			p.allowed, _ = v.([]any)
		case "ConstraintDescription":
			p.constraint = text(v)
		case "NoEcho":
			p.noEcho = text(v) == "true"
		case "MinValue":
			p.minimum, err = number(v)
		case "MaxValue":
			p.maximum, err = number(v)
		case "MinLength":
			p.shortest, err = number(v)
		case "MaxLength":
			p.longest, err = number(v)
		default:
			return p, errorf("Invalid template parameter property '%s'", field)
		}
		if err != nil {
			return p, errorf("Template format error: parameter %s: %s: %v", name, field, err)
		}
	}
	return p, nil
}

func number(v any) (*float64, error) {
	n, err := strconv.ParseFloat(text(v), 64)
	return &n, err
}

// Values returns the values of all parameters: those that are given, else the defaults.
// The errors have CloudFormation's texts.
func (t *Template) Values(given map[string]string) (map[string]string, error) {
	var unknown, missing []string
	for name := range given {
		if _, ok := t.parameters[name]; !ok {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		return nil, errorf("Parameters: [%s] do not exist in the template", list(unknown))
	}
	out := map[string]string{}
	for name, p := range t.parameters {
		value, ok := given[name]
		switch {
		case ok:
			out[name] = value
		case p.value != nil:
			out[name] = *p.value
		default:
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return nil, errorf("Parameters: [%s] must have values", list(missing))
	}
	for _, name := range slices.Sorted(maps.Keys(out)) {
		if err := t.parameters[name].check(name, out[name]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func list(names []string) string { return strings.Join(slices.Sorted(slices.Values(names)), ", ") }

// check returns an error if a parameter may not have a value.
func (p parameter) check(name, value string) error {
	if p.kind == "Number" {
		n, err := strconv.ParseFloat(value, 64)
		switch {
		case err != nil:
			return errorf("Parameter '%s' must be a number", name)
		case p.minimum != nil && n < *p.minimum:
			return errorf("Parameter '%s' must be a number not less than %g", name, *p.minimum)
		case p.maximum != nil && n > *p.maximum:
			return errorf("Parameter '%s' must be a number not greater than %g", name, *p.maximum)
		}
	}
	switch {
	case p.shortest != nil && len(value) < int(*p.shortest):
		return errorf("Parameter '%s' must contain at least %g characters", name, *p.shortest)
	case p.longest != nil && len(value) > int(*p.longest):
		return errorf("Parameter '%s' must contain at most %g characters", name, *p.longest)
	case p.pattern != nil && !p.pattern.MatchString(value):
		return errorf("Parameter '%s' failed to satisfy constraint: %s", name,
			cmp.Or(p.constraint, "Parameter "+name+" must match pattern "+p.patternText()))
	case p.allowed != nil && !slices.Contains(p.allowed, any(value)):
		return errorf("Parameter '%s' must be one of AllowedValues", name)
	}
	return nil
}

func (p parameter) patternText() string {
	return strings.TrimSuffix(strings.TrimPrefix(p.pattern.String(), "^(?:"), ")$")
}

// Shown returns the values of parameters as DescribeStacks answers them: those with
// NoEcho are masked.
func (t *Template) Shown(values map[string]string) map[string]string {
	out := maps.Clone(values)
	for name := range out {
		if t.parameters[name].noEcho {
			out[name] = "****"
		}
	}
	return out
}
