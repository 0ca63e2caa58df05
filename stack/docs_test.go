package stack_test

import (
	"slices"
	"strings"
	"testing"

	"slipway/internal/testkit"
	"slipway/stack"
)

// TestPage follows the commands of docs/stacks.md: CloudFormation takes them. Each
// template has a section with its deployment and its costs.
func TestPage(t *testing.T) {
	p := load(t, "../examples/stacks/site")
	p.Stack = "shop"
	a := account{t: t, project: p, files: map[string]stack.Template{}, stacks: map[string]deployed{}}
	page := testkit.ReadFile(t, "../docs/stacks.md")
	for _, words := range testkit.Commands(page) {
		a.run(words)
	}
	_, sections, _ := strings.Cut(page, "\n## The templates\n")
	for _, s := range templates(t) {
		_, section, found := strings.Cut(sections, "\n### "+s.Name+"\n")
		section, _, _ = strings.Cut(section, "\n### ")
		own := account{t: t, project: p, files: a.files, stacks: a.stacks}
		for _, words := range testkit.Commands(section) {
			own.run(words)
		}
		if !found || !slices.Contains(own.deployments, s.Name) || !strings.Contains(section, "**Costs.**") {
			t.Errorf("docs/stacks.md: the section of %s has no deployment or no costs: %q", s.Name, own.deployments)
		}
	}
}
