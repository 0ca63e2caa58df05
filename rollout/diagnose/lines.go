package diagnose

import (
	"fmt"
	"strings"
)

// String returns the group in a line, such as "3 × essential container in task
// exited: web exited with 1".
func (g StoppedTaskGroup) String() string {
	line := fmt.Sprintf("%d × %s", g.Count, lowerFirst(g.Reason))
	if len(g.Containers) > 0 {
		line += ": " + strings.Join(g.Containers, ", ")
	}
	return line
}

// Lines returns the diagnosis as text: the likely cause, the stopped tasks in
// groups, and the failed container's last lines. Next is not in it.
func (d Diagnosis) Lines() []string {
	var lines []string
	if d.Cause != "" {
		lines = append(lines, "likely cause: "+d.Cause)
	}
	if len(d.Groups) > 0 {
		lines = append(lines, "stopped tasks:")
	}
	for _, g := range d.Groups {
		line := "  " + g.String()
		if !g.Last.IsZero() {
			line += " (last at " + g.Last.UTC().Format("15:04:05") + " UTC)"
		}
		lines = append(lines, line)
	}
	switch {
	case len(d.Log) > 0:
		lines = append(lines, "last lines of "+d.LogOf+":")
		for _, l := range d.Log {
			lines = append(lines, "  | "+l)
		}
	case d.LogOf != "":
		lines = append(lines, "no log lines: "+d.LogOf)
	}
	return lines
}

// lowerFirst makes a sentence's beginning fit into one; names of errors keep
// theirs.
func lowerFirst(s string) string {
	word, _, _ := strings.Cut(s, " ")
	if word == "" || strings.ToLower(word[1:]) != word[1:] {
		return s
	}
	return strings.ToLower(word[:1]) + s[1:]
}
