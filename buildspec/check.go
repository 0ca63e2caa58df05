package buildspec

import (
	"cmp"
	"slices"
)

// Severity says what a finding does to a build.
type Severity string

// The severities. A Note is for people to look at and no fault of the file.
const (
	Breaks Severity = "breaks"
	Danger Severity = "danger"
	Note   Severity = "note"
)

// Finding is one thing that is wrong with a buildspec.
type Finding struct {
	// Lines are where it shows, counted from 1, in order, each once.
	Lines    []int    `json:"lines"`
	Severity Severity `json:"severity"`
	// Rule names the rule in a word or two; it does not change between versions.
	Rule    string `json:"rule"`
	Problem string `json:"problem"`
	Remedy  string `json:"remedy"`
}

// Report is what Check found, in order of line.
type Report struct {
	// Amplify tells that the file is the one Amplify generates for serverless
	// containers, or grew out of it.
	Amplify bool `json:"amplify"`
	// Replace are the first and last line of each section that gives way to
	// what Spec.YAML writes; only with Amplify.
	Replace  []Range   `json:"replace,omitempty"`
	Findings []Finding `json:"findings"`
}

// Range is a section of the file, both lines included.
type Range struct {
	Section string `json:"section"` // the key at the top of the file
	First   int    `json:"first"`
	Last    int    `json:"last"`
}

// Faults counts the findings that are more than notes.
func (r Report) Faults() int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity != Note {
			n++
		}
	}
	return n
}

// rule looks for one kind of fault; find returns the lines that have it, in any
// order and as often as it likes.
type rule struct {
	name     string
	severity Severity
	problem  string
	remedy   string
	find     func(*spec) []int
}

// Check reads a buildspec and says what in it would break a build or is
// dangerous. It judges by the text of the commands: what scripts do that they
// call, it cannot see. Errors: a *SyntaxError if data is no buildspec in YAML.
func Check(data []byte) (Report, error) {
	s, err := parse(data)
	if err != nil {
		return Report{}, err
	}
	r := Report{Findings: slices.Clone(s.faults)}
	for _, rule := range slices.Concat(shapeRules, imageRules, shellRules) {
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
