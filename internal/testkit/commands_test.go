package testkit

import (
	"slices"
	"strings"
	"testing"
)

func TestCommands(t *testing.T) {
	text := "Type `slipway build --plan`, or:\n\n    slipway status        # the state; not --this\n    a && b | c\n\n" +
		"1. First:\n\n   ```sh\n   x > y.yaml\n   deploy --name 'two words' \\\n     --set $(inner \"$1\" --p) K=\"v $(echo d)\"\n" +
		"   f() { g -h; }\n   ```\n\n```console\n$ one\noutput two\n$ three \\\n    four\n```\n\n```yaml\nkey: [five]\n```\n"
	want := []string{
		"slipway|build|--plan", "slipway|status", "a", "b", "c", "x|>|y.yaml", "inner|$1|--p", "echo|d",
		`deploy|--name|two words|--set|$(inner "$1" --p)|K=v $(echo d)`, "f()", "g|-h", "one", "three|four", "key:|[five]",
	}
	var got []string
	for _, words := range Commands(text) {
		got = append(got, strings.Join(words, "|"))
	}
	if !slices.Equal(got, want) {
		t.Errorf("Commands() = %q, want %q", got, want)
	}
}
