package compose

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v3"

	"slipway/internal/bounded"
	"slipway/internal/fault"
)

// The limits of what a project's files may ask of this host; docs/limits.md lists them.
// compose-go takes time that grows with the square of some of them.
const (
	// MaxComposeFile is the size of a compose file in bytes.
	MaxComposeFile = 1 << 20
	// MaxEnvFile is the size of an env file in bytes, with its variables substituted.
	MaxEnvFile = 1 << 20

	// maxComposeDepth is how deep mappings and lists may be nested.
	maxComposeDepth = 100
	// maxComposeKeys is the number of keys in one mapping.
	maxComposeKeys = 5000
	// maxSubstitution is the sum over the values of a file of the number of variables
	// in a value times the value's length in bytes: what substituting them costs.
	maxSubstitution = 32 << 20
	// maxComposeFiles is the number of compose files of a project, included and extended
	// ones counted.
	maxComposeFiles = 1000
)

// maxLoad is how long a project may take to load. compose-go looks for circles in
// depends_on along each path: 28 services that all depend on those after them take hours.
const maxLoad = 2 * time.Minute

// boundedLoad is load, but ended as soon as ctx or the time for it ends, whatever the
// library is at.
func boundedLoad(ctx context.Context, o Options) (*types.Project, error) {
	limit := cmp.Or(o.Limit, maxLoad)
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	project, err := bounded.Do(within, func() (*types.Project, error) { return load(within, o) })
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil && within.Err() != nil:
		return nil, inputError("compose project", "use fewer dependencies between services, such as depends_on", "takes longer to load than the limit of %s", limit)
	}
	return project, AsInput(err)
}

// AsInput returns an error about a file that is too large or not a regular file
// as an *fault.InputError, and any other error as it is.
func AsInput(err error) error {
	var input *fault.InputError
	var bound *bounded.Error
	if errors.As(err, &bound) && (!errors.As(err, &input) || input.Problem == "") {
		return &fault.InputError{Where: bound.Path, Problem: bound.Problem, Remedy: bound.Remedy}
	}
	return err
}

// checkDirectory refuses a project directory whose name cannot be shown on one line.
func checkDirectory(dir string) error {
	if strings.ContainsFunc(dir, unicode.IsControl) {
		return inputError(strconv.Quote(dir), "move the project to a directory without a newline, a tab or another control character in its path", "the path of the project directory has a control character")
	}
	return nil
}

// checkEnvFiles looks at the env files before compose-go reads them. Those of the
// operator may be pipes.
func checkEnvFiles(o Options) cli.ProjectOptionsFn {
	return func(p *cli.ProjectOptions) error {
		chosen, _ := chosenEnvFiles(o)
		for _, path := range p.EnvFiles {
			if len(chosen) > 0 && bounded.IsPipe(path) {
				continue
			}
			if err := checkEnvFile(path); err != nil {
				return err
			}
		}
		return nil
	}
}

var (
	envLine      = regexp.MustCompile(`^\s*(?:export\s+)?([A-Za-z0-9_.-]+)\s*[=:]`)
	envReference = regexp.MustCompile(`\$\{?([A-Za-z0-9_]+)`)
)

// checkEnvFile bounds what the variables in a file grow to when each is substituted in
// the next ones: twenty lines can double twenty times.
func checkEnvFile(path string) error {
	data, err := bounded.ReadFile(context.Background(), path, MaxEnvFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // compose-go says so
	}
	if err != nil {
		return AsInput(err)
	}
	sizes, name, total := map[string]int{}, "", 0
	for i, line := range strings.Split(string(data), "\n") {
		if m := envLine.FindStringSubmatch(line); m != nil {
			name = m[1]
		}
		size := len(line)
		for _, m := range envReference.FindAllStringSubmatch(line, -1) {
			size += sizes[m[1]]
		}
		sizes[name] += size
		if total += size; total > MaxEnvFile {
			return inputError(fmt.Sprintf("%s:%d", path, i+1), "use fewer variables inside the values of others", "the values are larger than the limit of %s", bounded.Size(MaxEnvFile))
		}
	}
	return nil
}

// checkComposeFile looks at a compose file before compose-go reads it. Pipes can be read
// only once, and only the operator names them: they are left to compose-go.
func checkComposeFile(ctx context.Context, path string) error {
	if bounded.IsPipe(path) {
		return nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil // compose-go says so
	}
	data, err := bounded.ReadFile(ctx, path, MaxComposeFile)
	var bound *bounded.Error
	if errors.As(err, &bound) {
		return AsInput(err)
	}
	if err != nil {
		return ctx.Err() // compose-go says what
	}
	return checkCompose(path, data)
}

// checkCompose measures the YAML of a compose file. compose-go refuses a file
// that is not YAML.
func checkCompose(path string, data []byte) error {
	d := yaml.NewDecoder(bytes.NewReader(data))
	m := measure{path: path}
	for {
		var doc yaml.Node
		if err := d.Decode(&doc); err != nil {
			if errors.Is(err, io.EOF) || m.err == nil {
				return m.err
			}
			return nil
		}
		if m.node(&doc, 0); m.err != nil {
			return m.err
		}
	}
}

// measure adds up what a file costs. It follows no aliases: compose-go bounds those.
type measure struct {
	path string
	cost int
	err  error
}

func (m *measure) node(n *yaml.Node, depth int) {
	switch {
	case m.err != nil:
		return
	case depth > maxComposeDepth+1: // the document is one
		m.refuse(n, "nest mappings and lists less deeply", "mappings and lists are nested deeper than the limit of %d", maxComposeDepth)
		return
	case n.Kind == yaml.MappingNode && len(n.Content)/2 > maxComposeKeys:
		m.refuse(n, "use fewer keys", "a mapping has %d keys, more than the limit of %d", len(n.Content)/2, maxComposeKeys)
		return
	case n.Kind == yaml.ScalarNode:
		variables := strings.Count(n.Value, "$")
		if m.cost += variables * len(n.Value); m.cost > maxSubstitution {
			m.refuse(n, "use fewer variables in one value, or a shorter value", "too many variables in values: %d in one of %d bytes", variables, len(n.Value))
		}
		return
	}
	for _, child := range n.Content {
		m.node(child, depth+1)
	}
}

func (m *measure) refuse(n *yaml.Node, remedy, format string, args ...any) {
	m.err = inputError(fmt.Sprintf("%s:%d", m.path, n.Line), remedy, format, args...)
}

// checked is a loader of compose-go's that loads nothing: it looks at each file that is
// included or extended before compose-go reads it, and refuses what noRemotes refuses.
type checked struct {
	noRemotes
	ctx context.Context
	// dirs are the directories that files can be named from.
	dirs []string
	seen map[string]bool
	err  error
}

// begin checks the project's directory and the compose files that are named.
func (c *checked) begin(o *cli.ProjectOptions) error {
	dir, err := o.GetWorkingDir()
	if err != nil {
		return fmt.Errorf("project directory: %w", err)
	}
	if err := checkDirectory(dir); err != nil {
		return err
	}
	c.know(dir)
	for _, path := range o.ConfigPaths {
		if err := checkComposeFile(c.ctx, path); err != nil {
			return err
		}
		if abs, err := filepath.Abs(path); err == nil {
			c.seen[path], c.seen[abs] = true, true
			c.know(filepath.Dir(abs))
		}
	}
	return nil
}

// Accept takes what Load is to refuse. compose-go asks for every file that it is about to
// include or extend, and for build contexts.
func (c *checked) Accept(path string) bool {
	if c.noRemotes.Accept(path) {
		return true
	}
	for _, dir := range c.dirs {
		at := path
		if !filepath.IsAbs(at) {
			at = filepath.Join(dir, path)
		}
		info, err := os.Stat(at)
		if err != nil || info.IsDir() {
			continue
		}
		if c.seen[at] {
			continue
		}
		if c.seen[at] = true; len(c.seen) > maxComposeFiles {
			c.err = inputError(at, "include fewer files", "the project has more compose files than the limit of %d", maxComposeFiles)
			return true
		}
		if c.err = c.check(at); c.err != nil {
			return true
		}
		c.know(filepath.Dir(at))
	}
	return false
}

// check is checkComposeFile for a file that another one names: it may not be a pipe, and
// the .env file next to it counts.
func (c *checked) check(path string) error {
	if err := bounded.CheckFile(path, MaxComposeFile); err != nil {
		return AsInput(err)
	}
	if err := checkComposeFile(c.ctx, path); err != nil {
		return err
	}
	return checkEnvFile(filepath.Join(filepath.Dir(path), ".env"))
}

func (c *checked) know(dir string) {
	for _, known := range c.dirs {
		if known == dir {
			return
		}
	}
	c.dirs = append(c.dirs, dir)
}

// Load says why the file is refused.
func (c *checked) Load(ctx context.Context, path string) (string, error) {
	if c.err != nil {
		return "", c.err
	}
	return c.noRemotes.Load(ctx, path)
}
