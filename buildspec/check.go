package buildspec

import (
	"cmp"
	"slices"

	"slipway/internal/textmark"
)

// Severity is the effect of a finding on a build.
type Severity string

// The severities. A Note is for the reader, and not an error of the file.
const (
	Breaks Severity = "breaks"
	Danger Severity = "danger"
	Note   Severity = "note"
)

// Finding is one problem of a buildspec.
type Finding struct {
	// Lines are the lines with the problem, counted from 1, in order, each once.
	Lines    []int    `json:"lines"`
	Severity Severity `json:"severity"`
	// Rule names the rule in a word or two; it does not change between versions.
	Rule    string `json:"rule"`
	Problem string `json:"problem"`
	Remedy  string `json:"remedy"`
}

// Report is the result of Check, with the findings in order of line.
type Report struct {
	// Amplify reports whether the file is the one that Amplify generates for
	// serverless containers, or an edited copy.
	Amplify bool `json:"amplify"`
	// Replace are the first and last line of each section that the output of
	// Spec.YAML replaces; only with Amplify.
	Replace  []Range   `json:"replace,omitempty"`
	Findings []Finding `json:"findings"`
}

// Range is a section of the file, both lines included.
type Range struct {
	Section string `json:"section"` // the key at the top of the file
	First   int    `json:"first"`
	Last    int    `json:"last"`
}

// Faults returns the number of findings that are not notes.
func (r Report) Faults() int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity != Note {
			n++
		}
	}
	return n
}

// rule finds one kind of problem; find returns the lines that have it, in any
// order, possibly repeated.
type rule struct {
	name     string
	severity Severity
	problem  string
	remedy   string
	find     func(*spec) []int
}

// marked is the finding of a file that begins with a byte order mark.
var marked = Finding{[]int{1}, Danger, "byte-order-mark",
	"the file begins with a byte order mark: a reader that does not skip it takes it for a part of the first key",
	"save the file as UTF-8 without a byte order mark"}

// Check reads a buildspec and returns the parts that would break a build or are
// dangerous. It reads the text of the commands, not the scripts that they call.
// The error is a *SyntaxError if data is not a buildspec in YAML.
func Check(data []byte) (Report, error) {
	s, err := parse(data)
	if err != nil {
		return Report{}, err
	}
	r := Report{Findings: slices.Clone(s.faults)}
	if textmark.Of(data) != "" {
		r.Findings = append(r.Findings, marked)
	}
	for _, rule := range slices.Concat(shapeRules, artifactRules, imageRules, shellRules) {
		lines := rule.find(s)
		if len(lines) == 0 {
			continue
		}
		slices.Sort(lines)
		r.Findings = append(r.Findings, Finding{slices.Compact(lines), rule.severity, rule.name, rule.problem, rule.remedy})
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return cmp.Compare(a.Lines[0], b.Lines[0]) })
	if r.Amplify = s.fromAmplify(); r.Amplify {
		r.Replace = s.sections("phases", "artifacts")
	}
	return r, nil
}
