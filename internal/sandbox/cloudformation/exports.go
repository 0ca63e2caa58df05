package cloudformation

import (
	"maps"
	"slices"
)

// export returns the value of an export of another stack of a region, and reports whether
// it exists.
func (s *Stacks) export(region, stack, name string) (string, bool) {
	for k, p := range s.stacks {
		if v, ok := p.exported()[name]; ok && k.region == region && k.name != stack {
			return v, true
		}
	}
	return "", false
}

// exported returns the values of the exports by their names.
func (p *planted) exported() map[string]string {
	out := map[string]string{}
	for output, name := range p.exports {
		out[name] = p.Outputs[output]
	}
	return out
}

// checkExports returns an error if a stack loses or changes an export that another stack
// imports, or exports a name that another stack exports.
func (s *Stacks) checkExports(region, stack string, next planted) error {
	before, after := map[string]string{}, next.exported()
	if now := s.stacks[key{region, stack}]; now != nil {
		before = now.exported()
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		value, stays := after[name]
		user := s.importer(region, name)
		switch {
		case user == "" || stays && value == before[name]:
		case stays:
			return invalid("Export %s cannot be updated as it is in use by %s", name, user)
		default:
			return invalid("Export %s cannot be deleted as it is in use by %s", name, user)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if _, taken := s.export(region, stack, name); taken {
			return invalid("Export with name %s is already exported by another stack", name)
		}
	}
	return nil
}

// importer returns the name of a stack that imports an export, empty if none does.
func (s *Stacks) importer(region, name string) string {
	for k, p := range s.stacks {
		if k.region == region && slices.Contains(p.imports, name) {
			return k.name
		}
	}
	return ""
}

// remove deletes a stack, by its name or its ARN. One that does not exist is deleted.
func (s *Stacks) remove(region, stack string) error {
	for k, p := range s.stacks {
		if k.region != region || k.name != stack && p.id != stack {
			continue
		}
		if err := s.checkExports(region, k.name, planted{}); err != nil {
			return err
		}
		delete(s.stacks, k)
	}
	return nil
}
