package shell_test

import (
	"os/exec"
	"testing"

	"slipway/internal/shell"
)

// TestWord asks a shell what it makes of a word.
func TestWord(t *testing.T) {
	for _, s := range []string{"", "plain", "s3://bucket/key", "shop/*", "it's", `a "b" $(c) \d`, "~", "a\nb", "-x"} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+shell.Word(s)).Output()
		if err != nil || string(out) != s {
			t.Errorf("Word(%q): a shell reads %q, %v", s, out, err)
		}
	}
	if got := shell.Word("s3://bucket/a_b@c%d+e=f:g,h.i-j"); got != "s3://bucket/a_b@c%d+e=f:g,h.i-j" {
		t.Errorf("Word quotes a plain word: %s, want %q", got, "s3://bucket/a_b@c%d+e=f:g,h.i-j")
	}
}
