package diff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// object is an object of JSON.
type object = map[string]any

// rule says what of a field the compose file owns.
type rule interface {
	// owned returns the owned part of a value in a form that is the same for equal
	// values: without ECS's defaults, with lists in order. It is nil for an absent value.
	owned(s *scope, v any) any
	// merge returns a value with the owned part of another and the rest as it is, and
	// notes the differences. It returns nil for a field to leave out.
	merge(s *scope, path string, have, want any) any
}

// scope is the part of a definition in which rules work.
type scope struct {
	// container is empty for the fields of the task.
	container string
	// keep are the patterns of names that others own.
	keep []string
	// foreign are the other containers that stay, and foreignVolumes the volumes that
	// others own.
	foreign, foreignVolumes map[string]bool
	// samePort reports that the port of the host is that of the container.
	samePort bool
	changes  []Change
}

func (s *scope) note(path string, from, to any) {
	s.changes = append(s.changes, Change{Container: s.container, Field: path, Old: from, New: to})
}

// keeps reports whether others own a name.
func (s *scope) keeps(name string) bool {
	return slices.ContainsFunc(s.keep, func(pattern string) bool {
		start, isStart := strings.CutSuffix(pattern, "*")
		return name == pattern || isStart && strings.HasPrefix(name, start)
	})
}

// same reports whether two values are the same JSON.
func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// leaf is a value that is owned as a whole.
type leaf struct {
	// absent is the value that ECS takes if there is none.
	absent any
	// normal returns the one form of a value; nil takes it as it is.
	normal func(any) any
}

func (l leaf) owned(_ *scope, v any) any {
	if v != nil && l.normal != nil {
		v = l.normal(v)
	}
	if v == nil || same(v, l.absent) {
		return nil
	}
	if list, ok := v.([]any); ok && len(list) == 0 {
		return nil
	}
	return v
}

func (l leaf) merge(s *scope, path string, have, want any) any {
	if same(l.owned(s, have), l.owned(s, want)) {
		return have
	}
	s.note(path, have, want)
	return want
}

// fields is an object of which some fields are owned.
type fields map[string]rule

func (f fields) owned(s *scope, v any) any {
	have, _ := v.(object)
	out := object{}
	for name, r := range f {
		if part := r.owned(s, have[name]); part != nil {
			out[name] = part
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func (f fields) merge(s *scope, path string, have, want any) any {
	if same(f.owned(s, have), f.owned(s, want)) {
		return have
	}
	from, _ := have.(object)
	to, _ := want.(object)
	if out := f.mergeFields(s, path, from, to); len(out) > 0 {
		return out
	}
	return nil
}

// mergeFields merges the fields of two objects.
func (f fields) mergeFields(s *scope, path string, have, want object) object {
	out := object{}
	maps.Copy(out, have)
	for _, name := range slices.Sorted(maps.Keys(f)) {
		merged := f[name].merge(s, join(path, name), have[name], want[name])
		if merged == nil {
			delete(out, name)
			continue
		}
		out[name] = merged
	}
	return out
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// keyed is a list of objects of which each has a key. It is owned as a whole, apart from
// those that stay.
type keyed struct {
	key  func(object) string
	item fields
	// value is the field that a difference shows; empty for the whole object.
	value string
	// stays reports whether others own an object; nil for none.
	stays func(s *scope, item object) bool
}

func (k keyed) owned(s *scope, v any) any {
	out := object{}
	for _, item := range objects(v) {
		if !k.keeps(s, item) {
			out[k.key(item)] = k.item.owned(s, item)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func (k keyed) keeps(s *scope, item object) bool { return k.stays != nil && k.stays(s, item) }

func (k keyed) merge(s *scope, path string, have, want any) any {
	wanted := map[string]object{}
	for _, item := range objects(want) {
		wanted[k.key(item)] = item
	}
	out, done, before := []any{}, map[string]bool{}, len(s.changes)
	for _, item := range slices.Backward(objects(have)) {
		name := k.key(item)
		to, isWanted := wanted[name]
		switch {
		case done[name]: // the last of two counts
		case isWanted:
			out = append(out, k.mergeItem(s, join(path, name), item, to))
		case k.keeps(s, item):
			out = append(out, item)
			continue
		default:
			s.note(join(path, name), k.shown(item), nil)
		}
		done[name] = true
	}
	slices.Reverse(out)
	for _, item := range objects(want) {
		if name := k.key(item); !done[name] {
			s.note(join(path, name), nil, k.shown(item))
			out = append(out, item)
			done[name] = true
		}
	}
	switch {
	case len(s.changes) == before:
		return have
	case len(out) == 0:
		return nil
	}
	return out
}

// mergeItem merges an object, and notes a difference of it as a whole.
func (k keyed) mergeItem(s *scope, path string, have, want object) object {
	if same(k.item.owned(s, have), k.item.owned(s, want)) {
		return have
	}
	s.note(path, k.shown(have), k.shown(want))
	return k.item.mergeFields(&scope{samePort: s.samePort}, path, have, want)
}

func (k keyed) shown(item object) any {
	if k.value != "" {
		return item[k.value]
	}
	return item
}

// texts is an object of texts by name. Other names are removed unless keep names them.
type texts struct{ keep bool }

func (t texts) owned(s *scope, v any) any {
	out := object{}
	for name, value := range asObject(v) {
		if !t.keep || !s.keeps(name) {
			out[name] = value
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func (t texts) merge(s *scope, path string, have, want any) any {
	from, to, out := asObject(have), asObject(want), object{}
	names := maps.Clone(from)
	maps.Copy(names, to)
	changed := false
	for _, name := range slices.Sorted(maps.Keys(names)) {
		value, isWanted := to[name]
		was, had := from[name]
		switch {
		case !isWanted && t.keep && s.keeps(name), had && isWanted && same(was, value):
			out[name] = was
			continue
		case isWanted:
			out[name] = value
		}
		changed = true
		s.note(join(path, name), was, value)
	}
	switch {
	case !changed:
		return have
	case len(out) == 0:
		return nil
	}
	return out
}

// asObject returns a value that is an object, else an empty one.
func asObject(v any) object {
	if o, ok := v.(object); ok {
		return o
	}
	return object{}
}

// objects returns the objects of a list.
func objects(v any) []object {
	list, _ := v.([]any)
	var out []object
	for _, item := range list {
		if o, ok := item.(object); ok {
			out = append(out, o)
		}
	}
	return out
}

// text returns a field of an object as text.
func text(o object, name string) string {
	if o[name] == nil {
		return ""
	}
	return fmt.Sprint(o[name])
}
