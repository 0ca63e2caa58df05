package buildspec

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"slipway/internal/textmark"
)

// SyntaxError is a file that is not a buildspec in YAML.
type SyntaxError struct {
	Line    int // counted from 1
	Problem string
}

// Error returns the problem without its line, which is a field, so that the file's
// name can precede it.
func (e *SyntaxError) Error() string { return e.Problem }

// Hint returns the remedy.
func (e *SyntaxError) Hint() string {
	return "correct the YAML there or in the line before; `slipway buildspec` prints a whole buildspec"
}

// spec is a buildspec in the form that the rules read.
type spec struct {
	top     *yaml.Node
	lines   int // of the file
	version *yaml.Node
	// commands are the shell's lines of all phases, in the order in which
	// CodeBuild runs them.
	commands  []command
	artifacts []artifact
	// variables are the plain ones of env.
	variables []pair
	runtimes  []pair
	comments  string
	// aborts are the phases after whose failure CodeBuild runs nothing more.
	aborts []string
	// faults were found while reading.
	faults []Finding
}

// command is a line that the shell runs, continued lines joined.
type command struct {
	phase   string
	finally bool
	line    int
	text    string
}

type pair struct {
	key   string
	value *yaml.Node
	line  int
}

var phases = []string{"install", "pre_build", "build", "post_build"}

func parse(data []byte) (*spec, error) {
	if mark := textmark.Of(data); mark != "" && mark != "UTF-8" {
		return nil, &SyntaxError{1, "is " + mark + ", not UTF-8"}
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, syntaxError(err)
	}
	// Repeated keys are an error only when values are decoded.
	var values any
	if err := yaml.Unmarshal(data, &values); err != nil {
		return nil, syntaxError(err)
	}
	if len(doc.Content) == 0 || deref(doc.Content[0]).Kind != yaml.MappingNode {
		return nil, &SyntaxError{1, "is not a buildspec: want a mapping with the keys version and phases"}
	}
	s := &spec{top: deref(doc.Content[0]), lines: strings.Count(strings.TrimRight(string(data), "\n"), "\n") + 1}
	s.comments = comments(data)
	s.version = at(s.top, "version")
	s.variables = pairs(at(at(s.top, "env"), "variables"))
	s.faults = append(s.faults, unknownBelow(s.top)...)
	s.readArtifacts()
	s.readPhases()
	return s, nil
}

var yamlLine = regexp.MustCompile(`line ([0-9]+): *`)

// syntaxError reads the line from the parser's text, the only place that has it.
func syntaxError(err error) error {
	out := &SyntaxError{1, strings.TrimPrefix(strings.SplitN(strings.TrimPrefix(err.Error(), "yaml: unmarshal errors:\n  "), "\n", 2)[0], "yaml: ")}
	if m := yamlLine.FindStringSubmatchIndex(out.Problem); m != nil {
		out.Line, _ = strconv.Atoi(out.Problem[m[2]:m[3]])
		out.Problem = out.Problem[:m[0]] + out.Problem[m[1]:]
	}
	out.Problem = "is not YAML: " + out.Problem
	return out
}

// readPhases reads the phases in CodeBuild's order, not in that of the file.
func (s *spec) readPhases() {
	all := pairs(at(s.top, "phases"))
	for _, p := range all {
		if !slices.Contains(phases, p.key) {
			s.faults = append(s.faults, Finding{[]int{p.line}, Breaks, "unknown-phase",
				fmt.Sprintf("there is no phase %q: CodeBuild does not run its commands", p.key), "the phases are " + strings.Join(phases, ", ")})
		}
	}
	for _, name := range phases {
		for _, p := range all {
			if p.key != name {
				continue
			}
			s.runtimes = append(s.runtimes, pairs(at(p.value, "runtime-versions"))...)
			if n := at(p.value, "on-failure"); n != nil && n.Value == "ABORT" {
				s.aborts = append(s.aborts, name)
			}
			s.readCommands(name, at(p.value, "commands"), false)
			s.readCommands(name, at(p.value, "finally"), true)
		}
	}
}

func (s *spec) readCommands(phase string, list *yaml.Node, finally bool) {
	if list != nil && list.Kind == yaml.MappingNode {
		s.faults = append(s.faults, noString(list.Line))
		return
	}
	for _, n := range items(list) {
		if n.Kind != yaml.ScalarNode {
			s.faults = append(s.faults, noString(n.Line))
			continue
		}
		for _, c := range shellLines(n) {
			c.phase, c.finally = phase, finally
			s.commands = append(s.commands, c)
		}
	}
}

func noString(line int) Finding {
	return Finding{[]int{line}, Breaks, "command-no-string",
		"this command is a mapping or a list, not a string (a colon and a blank make it a mapping): CodeBuild refuses the file",
		"put the command in single quotes, or write it below `- |`"}
}

// shellLines returns the lines of one command without comments.
func shellLines(n *yaml.Node) []command {
	var out []command
	continued := false
	for i, text := range strings.Split(n.Value, "\n") {
		line := n.Line
		if n.Style&yaml.LiteralStyle != 0 {
			line += 1 + i
		}
		text = strings.TrimSpace(text)
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		more := strings.HasSuffix(text, `\`)
		text = strings.TrimSpace(strings.TrimSuffix(text, `\`))
		if continued {
			out[len(out)-1].text += " " + text
		} else {
			out = append(out, command{line: line, text: text})
		}
		continued = more
	}
	return out
}

// comments are the file's own, not those in commands.
func comments(data []byte) string {
	var b strings.Builder
	for line := range strings.Lines(string(data)) {
		if _, text, ok := strings.Cut(line, "#"); ok {
			b.WriteString(text)
		}
	}
	return b.String()
}

func deref(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// pairs returns the entries of a mapping, including those of `<<`.
func pairs(n *yaml.Node) []pair {
	n = deref(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	var out []pair
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], deref(n.Content[i+1])
		if key.Value == "<<" && value.Kind == yaml.MappingNode && value != n {
			for j := 0; j+1 < len(value.Content); j += 2 {
				out = append(out, pair{value.Content[j].Value, deref(value.Content[j+1]), value.Content[j].Line})
			}
			continue
		}
		out = append(out, pair{key.Value, value, key.Line})
	}
	return out
}

// at returns the value of a key, or nil.
func at(n *yaml.Node, key string) *yaml.Node {
	for _, p := range pairs(n) {
		if p.key == key {
			return p.value
		}
	}
	return nil
}

// items returns the entries of a list. A single string is a list of one, as in
// CodeBuild.
func items(n *yaml.Node) []*yaml.Node {
	n = deref(n)
	switch {
	case n == nil || n.Tag == "!!null":
		return nil
	case n.Kind == yaml.ScalarNode:
		return []*yaml.Node{n}
	case n.Kind != yaml.SequenceNode:
		return nil
	}
	var out []*yaml.Node
	for _, item := range n.Content {
		out = append(out, deref(item))
	}
	return out
}

// sections are where keys at the top begin and end.
func (s *spec) sections(keys ...string) []Range {
	var out []Range
	all := pairs(s.top)
	for i, p := range all {
		if !slices.Contains(keys, p.key) {
			continue
		}
		last := s.lines
		if i+1 < len(all) {
			last = all[i+1].line - 1
		}
		out = append(out, Range{p.key, p.line, last})
	}
	return out
}
