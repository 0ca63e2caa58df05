package inputs

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/distribution/reference"
)

// Changes lists the inputs that differ from older ones, in words: files first,
// then images, commits, components, arguments and the Dockerfile. It is empty if
// nothing that has a name differs.
func (r *Record) Changes(old *Record) []string {
	out := r.changedFiles(old)
	out = append(out, changed("base image ", byImage(r.Images), byImage(old.Images))...)
	out = append(out, changed("commit of ", r.Commits, old.Commits)...)
	out = append(out, changed("image of ", r.Components, old.Components)...)
	out = append(out, r.changedSteps(old, out)...)
	if r.Settings != old.Settings {
		out = append(out, "the build settings")
	}
	return out
}

// changedFiles lists the files that differ. Where one side has left them out, it
// is known only that some do.
func (r *Record) changedFiles(old *Record) []string {
	switch {
	case !r.FilesLeftOut && !old.FilesLeftOut:
		return changed("", r.Files, old.Files)
	case maps.Equal(r.Trees, old.Trees):
		return nil
	default:
		return []string{"files of the context"}
	}
}

// changedSteps returns the reasons for which the steps differ. A Dockerfile that
// is named already, since it is copied into the image, is not named again.
func (r *Record) changedSteps(old *Record, named []string) []string {
	var out []string
	if !slices.Equal(slices.Sorted(maps.Keys(r.Steps)), slices.Sorted(maps.Keys(old.Steps))) {
		out = append(out, "the platforms")
	}
	if agree(r.Steps, old.Steps) {
		return out
	}
	why := changed("argument ", r.Arguments, old.Arguments)
	dockerfile := cmp.Or(r.DockerfileName, "the Dockerfile")
	if r.Dockerfile != old.Dockerfile && r.Dockerfile != "" && !slices.Contains(named, dockerfile) {
		why = append(why, dockerfile)
	}
	if len(why) == 0 && r.Dockerfile == old.Dockerfile && r.Settings == old.Settings {
		why = []string{"the steps of the Dockerfile"}
	}
	return append(out, why...)
}

// agree reports whether two maps have the same values for the keys that both
// have.
func agree(a, b map[string]string) bool {
	for key, value := range a {
		if other, ok := b[key]; ok && other != value {
			return false
		}
	}
	return true
}

// byImage returns the checksums of images by the names that users know them by,
// without a digest.
func byImage(images map[string]string) map[string]string {
	out := map[string]string{}
	for _, ref := range slices.Sorted(maps.Keys(images)) {
		name, pinned := familiar(ref)
		out[name] += pinned + images[ref]
	}
	return out
}

// familiar returns the name by which users know an image, and the digest of a
// reference that has one.
func familiar(ref string) (name, pinned string) {
	name, pinned, _ = strings.Cut(ref, "@")
	if named, err := reference.ParseNormalizedNamed(name); err == nil {
		name = reference.FamiliarString(named)
	}
	return name, pinned
}

// changed lists the names under which two maps differ, sorted.
func changed(prefix string, a, b map[string]string) []string {
	names := map[string]bool{}
	for name, value := range a {
		if b[name] != value {
			names[name] = true
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			names[name] = true
		}
	}
	sorted := slices.Sorted(maps.Keys(names))
	var out []string
	for i, name := range sorted {
		if i+1 == len(sorted) || !explains(sorted[i+1], name) {
			out = append(out, prefix+name)
		}
	}
	return out
}

// explains reports whether a name is that of an entry of a directory.
func explains(name, dir string) bool {
	return strings.HasSuffix(dir, "/") && strings.HasPrefix(name, dir)
}
