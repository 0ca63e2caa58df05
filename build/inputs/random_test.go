package inputs_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/build/inputs"
	"slipway/build/solve"
	"slipway/build/target"
)

var (
	edits = flag.Int("inputs.edits", 32, "number of random edits whose images are compared")
	seed  = flag.Uint64("inputs.seed", 0, "seed of the random edits; 0 takes one from the clock")
)

// projects is how many random projects are edited and built at the same time.
const projects = 8

// TestRandomEdits edits random projects and builds every service from nothing
// after each edit: images of equal keys must have equal content.
func TestRandomEdits(t *testing.T) {
	t.Parallel()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("the seed is %d: -inputs.seed=%[1]d repeats this run", *seed)
	p := newProof(t)
	var all []*random
	for i := range projects {
		all = append(all, newRandom(t, *seed, i))
	}
	var count tally
	for round := 0; round*projects <= *edits; round++ {
		if round > 0 {
			for _, r := range all {
				r.edit()
			}
		}
		p.round(t, round, all, &count)
	}
	t.Logf("%d edits: %d images of %d had new content, %d keys were new with the same content, %d images had a known key, %d builds failed, %d inputs were unknown",
		*edits, count.content, count.images, count.keys, count.known, count.failed, count.unknown)
	if count.content == 0 || count.known == 0 {
		t.Error("the edits changed the content of all images or of none: they prove nothing")
	}
}

// tally counts images by outcome.
type tally struct{ images, content, keys, known, failed, unknown int }

// round builds all services and compares the images with those of the same key.
func (p *proof) round(t *testing.T, round int, all []*random, count *tally) {
	t.Helper()
	var targets []target.Target
	for _, r := range all {
		targets = append(targets, r.targets()...)
	}
	before := p.read(t, targets)
	built := p.build(t, fmt.Sprint("round", round), targets)
	confirmed := p.confirm(t, targets, before, built)
	for _, r := range all {
		for _, target := range r.targets() {
			s := target.Service
			if err := confirmed[s]; err != nil && !errors.Is(err, inputs.ErrChanged) && before[s].Inputs != nil {
				t.Logf("%s: %v", s, err)
			}
			content := p.outcome(t, built[s])
			if _, failed := content[failure]; failed {
				count.failed++
			}
			r.compare(t, s, before[s], content, count)
		}
	}
}

// failure is the only path in the content of an image whose build fails.
const failure = "the build fails"

// outcome is the content of an image, or that its build fails.
func (p *proof) outcome(t *testing.T, r solve.Result) map[string]string {
	t.Helper()
	var failed *solve.FailedError
	switch {
	case r.Err == nil:
		return p.content(t, r)
	case errors.As(r.Err, &failed), errors.Is(r.Err, solve.ErrStopped):
		t.Logf("%s: %v", r.Service, r.Err)
		return map[string]string{failure: "yes"}
	}
	t.Fatal(r.Err)
	return nil
}

// compare notes an image by its key and compares it with the one of the same key.
func (r *random) compare(t *testing.T, service string, in inputs.Result, content map[string]string, count *tally) {
	t.Helper()
	count.images++
	changed := !maps.Equal(content, r.last[service])
	r.last[service] = content
	if changed {
		count.content++
	}
	if in.Inputs == nil {
		count.unknown++
		return
	}
	key := in.Inputs.Key()
	old, ok := r.known[key]
	switch {
	case ok && !maps.Equal(old, content):
		t.Errorf("seed %d: %s has the key %s of another image after %s:\n%s", *seed, service, key, r.done[len(r.done)-1], different(old, content))
	case ok:
		count.known++
	case !changed:
		count.keys++
	}
	r.known[key] = content
}

// random is a project that is edited at random.
type random struct {
	t    *testing.T
	rand *rand.Rand
	name string
	dir  string
	// steps are the Dockerfiles of the services, by line.
	steps [][]string
	args  []map[string]string
	// known are the contents by key, last those by service.
	known map[string]map[string]string
	last  map[string]map[string]string
	done  []string
}

func newRandom(t *testing.T, seed uint64, i int) *random {
	t.Helper()
	r := &random{t: t, rand: rand.New(rand.NewPCG(seed, uint64(i))), name: fmt.Sprint("p", i), dir: t.TempDir(),
		known: map[string]map[string]string{}, last: map[string]map[string]string{}}
	for range 12 {
		r.write()
	}
	for range 3 {
		var steps []string
		for range 3 {
			steps = append(steps, r.step())
		}
		r.steps, r.args = append(r.steps, steps), append(r.args, map[string]string{})
	}
	r.done = []string{"the start"}
	return r
}

// targets are the services of the project. The last is built on the first.
func (r *random) targets() []target.Target {
	var out []target.Target
	for i, steps := range r.steps {
		file := filepath.Join(r.dir, fmt.Sprint("Dockerfile.", i))
		base := "scratch"
		x := target.Target{Service: fmt.Sprint(r.name, "-", i), Context: target.Context{Dir: r.dir}, Dockerfile: file,
			Args: maps.Clone(r.args[i]), Platforms: []string{ownPlatform}}
		if i == len(r.steps)-1 {
			base = "base"
			x.Contexts = map[string]target.Context{base: {Service: fmt.Sprint(r.name, "-0")}}
		}
		text := "FROM scratch AS other\nCOPY a /a\nFROM " + base + "\nARG ONE=1\nCOPY always /always\n" + strings.Join(steps, "\n") + "\n"
		r.put("always", "always")
		r.put(filepath.Base(file), text)
		out = append(out, x)
	}
	return out
}

// put writes a file if its content is another one.
func (r *random) put(path, text string) {
	path = filepath.Join(r.dir, path)
	if old, err := os.ReadFile(path); err == nil && string(old) == text {
		return
	}
	_ = os.RemoveAll(path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return // a file is where the directory would be
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *random) pick(list ...string) string { return list[r.rand.IntN(len(list))] }

// path is a path of the context; few names make edits meet.
func (r *random) path() string {
	return filepath.Join(r.pick("a", "b", "c/d", "c"), r.pick("x", "y.md", "z.log", "sub/x", "sub/y.md"))
}

// some is a path that is there, or any.
func (r *random) some() string {
	var all []string
	_ = filepath.WalkDir(r.dir, func(path string, d os.DirEntry, err error) error {
		rel, _ := filepath.Rel(r.dir, path)
		if err == nil && strings.Trim(rel, ".") != "" && !strings.HasPrefix(rel, "Dockerfile") && rel != ".dockerignore" && rel != "always" {
			all = append(all, rel)
		}
		return nil
	})
	if len(all) == 0 {
		return r.path()
	}
	return r.pick(all...)
}

func (r *random) step() string {
	switch r.rand.IntN(14) {
	case 0:
		return "# " + r.pick("one", "two")
	case 1:
		return "ENV ONE=" + r.pick("1", "2", "$ONE")
	case 2:
		return "LABEL one=" + r.pick("1", "$ONE")
	case 3:
		return "COPY --chmod=" + r.pick("600", "755") + " " + r.some() + " /mode/"
	case 4:
		return "COPY --exclude=" + r.pick("*.md", "**/x", "sub") + " " + r.pick("a", "c", ".") + " /excluded/"
	case 5:
		return "COPY --parents " + r.pick("c/./d", "*/sub", "./**/*.md") + " /parents/"
	case 6:
		return "COPY --from=other / /other/"
	case 7:
		return "COPY <<EOF /doc\n" + r.pick("one", "$ONE") + "\nEOF"
	case 8:
		return "COPY " + r.pick("*/*.md", "?", "a*", "c/*/*") + " /glob/"
	case 9:
		return "COPY . /all/"
	case 10:
		return "WORKDIR /" + r.pick("w", "v/w", "$ONE")
	default:
		return "COPY " + r.some() + " /" + r.pick("to", "to/", "there/")
	}
}

// write writes a small file.
func (r *random) write() string {
	path := r.path()
	r.put(path, r.pick("1", "2", "3", "a longer text", ""))
	return "writing " + path
}

// edit changes the project in one way.
func (r *random) edit() {
	r.done = append(r.done, r.change())
}

func (r *random) change() string {
	i, path := r.rand.IntN(len(r.steps)), r.some()
	full := filepath.Join(r.dir, path)
	switch r.rand.IntN(14) {
	case 0:
		_ = os.RemoveAll(full)
		return "removing " + path
	case 1:
		to := r.path()
		_ = os.MkdirAll(filepath.Dir(filepath.Join(r.dir, to)), 0o755)
		return fmt.Sprint("renaming ", path, " to ", to, ": ", os.Rename(full, filepath.Join(r.dir, to)))
	case 2:
		mode := []os.FileMode{0o644, 0o755, 0o600, 0o755 | os.ModeSetuid}[r.rand.IntN(4)]
		return fmt.Sprint("mode ", mode, " of ", path, ": ", os.Chmod(full, mode))
	case 3:
		link := r.path()
		to := r.pick("x", "../a", "/b", "nowhere", "sub")
		return fmt.Sprint("link ", link, " to ", to, ": ", os.Symlink(to, filepath.Join(r.dir, link)))
	case 4:
		dir := filepath.Join(r.dir, r.path(), "empty")
		return fmt.Sprint("directory ", dir, ": ", os.MkdirAll(dir, 0o755))
	case 5:
		text := r.pick("", "**/*.log\n", "**/*.md\n", "c\n!c/d\n", "*\n!always\n!a\n", "sub\n", "**/sub\n!**/sub/x\n", "# none\n")
		r.put(".dockerignore", text)
		return fmt.Sprintf(".dockerignore %q", text)
	case 6:
		at := r.rand.IntN(len(r.steps[i]) + 1)
		r.steps[i] = slices.Insert(r.steps[i], at, r.step())
		return fmt.Sprint("step ", at, " of ", i, ": ", r.steps[i][at])
	case 7:
		if len(r.steps[i]) > 0 {
			at := r.rand.IntN(len(r.steps[i]))
			r.steps[i] = slices.Delete(r.steps[i], at, at+1)
		}
		return fmt.Sprint("a step less of ", i)
	case 8:
		name := r.pick("ONE", "UNUSED")
		r.args[i][name] = r.pick("1", "2")
		return fmt.Sprint("argument ", name, " of ", i)
	case 9:
		moment := time.Unix(int64(1e9+r.rand.IntN(3)), 0)
		return fmt.Sprint("time of ", path, ": ", os.Chtimes(full, moment, moment))
	case 10:
		link := r.path()
		return fmt.Sprint("hard link ", link, " to ", path, ": ", os.Link(full, filepath.Join(r.dir, link)))
	default:
		return r.write()
	}
}
