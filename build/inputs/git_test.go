package inputs

import (
	"strings"
	"testing"
)

// An address with a password is never given to git, whose arguments others can read.
func TestCommitRefusesLogins(t *testing.T) {
	t.Parallel()
	for _, remote := range []string{"https://user:secret@127.0.0.1:1/r.git", "https://secret@127.0.0.1:1/r.git"} {
		if _, err := Commit(t.Context(), remote, ""); err == nil || !strings.Contains(err.Error(), "has a login") || strings.Contains(err.Error(), "secret") {
			t.Errorf("Commit of %s = %v, want an error that says that it has a login, without it", remote, err)
		}
	}
}
