package allow

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// Wanted collects the access that a project needs and the operator did not allow.
// A nil *Wanted accepts everything and keeps nothing.
type Wanted struct {
	set Set
	// dirs are the project's own directories.
	dirs []string
	// hidden are the variables that are kept from the project.
	hidden  map[string]bool
	missing []Want
}

// NewWanted begins a collection. environ is the environment as KEY=VALUE.
func NewWanted(set Set, environ []string) *Wanted {
	w := &Wanted{set: set, hidden: map[string]bool{}}
	for _, kv := range environ {
		if name, value, _ := strings.Cut(kv, "="); value != "" && Secret(name) && !set.Env(name) {
			w.hidden[name] = true
		}
	}
	return w
}

// Granted returns the access that the operator allows, answers to earlier
// questions included.
func (w *Wanted) Granted() Set {
	if w == nil {
		return Set{}
	}
	return w.set
}

// Own adds a directory that is the project's own, and the top of its clone.
func (w *Wanted) Own(dir, home string) {
	if w != nil {
		w.dirs = append(w.dirs, dir, Top(dir, home))
	}
}

// Visible returns the environment as the project sees it. A variable that is kept from it
// has a value that says so: where the compose file passes it only to a running
// container, nothing is asked for.
func (w *Wanted) Visible(environ []string) []string {
	if w == nil {
		return environ
	}
	out := slices.Clone(environ)
	for i, kv := range out {
		if name, _, _ := strings.Cut(kv, "="); w.hidden[name] {
			out[i] = name + "=" + standIn(name)
		}
	}
	return out
}

// standIn is the value of a hidden variable.
func standIn(name string) string { return "(" + name + " is kept from the project)" }

// Scan notes the hidden variables whose values a text would hold.
func (w *Wanted) Scan(text, where string) {
	if w == nil || !strings.Contains(text, standIn("")[2:]) {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(w.hidden)) {
		if strings.Contains(text, standIn(name)) {
			w.Add(Want{Env, name, where})
		}
	}
}

// Read notes a path that the project wants read, and reports whether it may be.
func (w *Wanted) Read(path, where string) bool { return w.path(FSRead, path, where) }

// Write notes a path that the project wants written, and reports whether it may be.
func (w *Wanted) Write(path, where string) bool { return w.path(FSWrite, path, where) }

// Owns reports whether a path lies in the project, links followed. Of a nil *Wanted
// nothing does.
func (w *Wanted) Owns(path string) bool {
	return w != nil && slices.ContainsFunc(w.dirs, func(dir string) bool { return Inside(dir, path) })
}

func (w *Wanted) path(kind Kind, path, where string) bool {
	if w == nil || w.Owns(path) {
		return true
	}
	// A link out of the project is named by its target.
	if slices.ContainsFunc(w.dirs, func(dir string) bool { return below(dir, filepath.Clean(path)) }) {
		path = Real(path)
	}
	return w.Add(Want{kind, filepath.Clean(path), where})
}

// Add notes a want, and reports whether it is allowed.
func (w *Wanted) Add(want Want) bool {
	if w == nil || w.set.Allows(want) {
		return true
	}
	same := func(m Want) bool { return m.Kind == want.Kind && m.Value == want.Value }
	if !slices.ContainsFunc(w.missing, same) {
		w.missing = append(w.missing, want)
	}
	return false
}

// Missing returns the wants that are not allowed, in the order of the fields. A want
// that another one covers is left out.
func (w *Wanted) Missing() []Want {
	if w == nil {
		return nil
	}
	var out []Want
	for i, m := range w.missing {
		covered := false
		for j, n := range w.missing {
			// Of two that cover each other, as two links to one file, the first stays.
			covered = covered || i != j && n.covers(m) && (j < i || !m.covers(n))
		}
		if !covered {
			out = append(out, m)
		}
	}
	slices.SortStableFunc(out, func(a, b Want) int { return strings.Compare(a.Where+a.String(), b.Where+b.String()) })
	return out
}
