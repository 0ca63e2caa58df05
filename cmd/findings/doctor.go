// Package findings prints what doctor and buildspec --check found, for people, and says
// with which error a command ends for it.
package findings

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"slipway/doctor"
	"slipway/internal/fault"
	"slipway/internal/phrase"
	"slipway/internal/plain"
)

// Checklist returns the findings of doctor: a line each, in columns, with the remedy
// below.
func Checklist(findings []doctor.Finding) string {
	var widths [3]int
	for _, f := range findings {
		for i, text := range columnsOf(f) {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	var b strings.Builder
	for _, f := range findings {
		for i, text := range columnsOf(f) {
			b.WriteString(text + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text)+2))
		}
		lines := strings.Split(f.Detail, "\n")
		b.WriteString(plain.Text(lines[0]) + "\n")
		for _, line := range lines[1:] {
			b.WriteString(remedyIndent + plain.Text(line) + "\n")
		}
		if f.Remedy != "" {
			b.WriteString(remedyIndent + "what to do: " + strings.ReplaceAll(f.Remedy, "\n", "\n"+remedyIndent) + "\n")
		}
	}
	return b.String()
}

const remedyIndent = "    "

// columnsOf returns what stands before the detail.
func columnsOf(f doctor.Finding) [3]string {
	return [3]string{string(f.Status), plain.Text(f.Check), plain.Text(f.Subject)}
}

// unwell is the error for a build that could not run. The findings say why.
type unwell struct {
	kind fault.Kind
	text string
}

func (e *unwell) Error() string    { return e.text }
func (e *unwell) Kind() fault.Kind { return e.kind }

// Verdict returns the line that sums the findings of doctor up, and an error if a check
// failed. If only input is at fault, the error has the kind fault.Input, else an error of
// AWS counts before others.
func Verdict(findings []doctor.Finding) (string, error) {
	count := map[doctor.Status]int{}
	var kinds []fault.Kind
	for _, f := range findings {
		count[f.Status]++
		if f.Status == doctor.StatusFailed {
			kinds = append(kinds, f.Kind)
		}
	}
	others := fmt.Sprintf("%s, %d not checked", phrase.Count(count[doctor.StatusWarning], "warning"), count[doctor.StatusUnchecked])
	if len(kinds) == 0 {
		return fmt.Sprintf("build would be able to run: %d ok, %s", count[doctor.StatusOK], others), nil
	}
	e := &unwell{kind: fault.Other, text: fmt.Sprintf("build would not be able to run: %d failed, %s", len(kinds), others)}
	switch {
	case !slices.ContainsFunc(kinds, func(k fault.Kind) bool { return k != fault.Input }):
		e.kind = fault.Input
	case slices.Contains(kinds, fault.AWS):
		e.kind = fault.AWS
	}
	return "", e
}
