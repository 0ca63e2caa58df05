package cmd

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

// printFindings writes the checklist to stdout.
func printFindings(w *cli, findings []doctor.Finding, output string) error {
	if output == "json" {
		return writeJSON(w.stdout, findings)
	}
	_, err := w.stdout.Write([]byte(checklist(findings)))
	return err
}

// checklist is the findings for people: a line each, in columns, with what to do below.
func checklist(findings []doctor.Finding) string {
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

// columnsOf are what stands before the detail.
func columnsOf(f doctor.Finding) [3]string {
	return [3]string{string(f.Status), plain.Text(f.Check), plain.Text(f.Subject)}
}

// unwell says that build could not run. Why has been told.
type unwell struct {
	kind fault.Kind
	text string
}

func (e *unwell) Error() string    { return e.text }
func (e *unwell) Kind() fault.Kind { return e.kind }

// verdict is an error if anything failed. Wrong input alone has its own code, since nothing
// but a file needs to be touched; otherwise AWS's goes before.
func verdict(w *cli, findings []doctor.Finding) error {
	count := map[doctor.Status]int{}
	var kinds []fault.Kind
	for _, f := range findings {
		count[f.Status]++
		if f.Status == doctor.StatusFailed {
			kinds = append(kinds, f.Kind)
		}
	}
	if len(kinds) == 0 {
		w.Infof("build would be able to run: %d ok, %s, %d not checked", count[doctor.StatusOK], phrase.Count(count[doctor.StatusWarning], "warning"), count[doctor.StatusUnchecked])
		return nil
	}
	e := &unwell{kind: fault.Other, text: fmt.Sprintf("build would not be able to run: %d failed, %s, %d not checked", len(kinds), phrase.Count(count[doctor.StatusWarning], "warning"), count[doctor.StatusUnchecked])}
	switch {
	case !slices.ContainsFunc(kinds, func(k fault.Kind) bool { return k != fault.Input }):
		e.kind = fault.Input
	case slices.Contains(kinds, fault.AWS):
		e.kind = fault.AWS
	}
	return e
}
