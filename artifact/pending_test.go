package artifact

import (
	"os"
	"testing"
)

func TestReserve(t *testing.T) {
	dir := t.TempDir()
	p, err := Reserve(dir+"/defs.json", 100)
	must(t, err)
	written, err := p.Write([]byte("less than was reserved"))
	if got, readErr := os.ReadFile(dir + "/defs.json"); err != nil || readErr != nil || !written || string(got) != "less than was reserved" {
		t.Errorf("got %q, %v, %v, %v, want a file with the short text", got, written, err, readErr)
	}
	only(t, dir, "defs.json")

	p, err = Reserve(dir+"/defs.json", 1)
	must(t, err)
	if written, err := p.Write([]byte("less than was reserved")); err != nil || written {
		t.Errorf("the same content: got %v, %v", written, err)
	}
	p, err = Reserve(dir+"/defs.json", 1)
	must(t, err)
	must(t, p.Discard())
	must(t, p.Discard())
	only(t, dir, "defs.json")
}

// TestStaleFilesAreRemoved removes what a killed process left, and nothing that a process
// still holds or that is not a temporary file of the same name.
func TestStaleFilesAreRemoved(t *testing.T) {
	dir := t.TempDir()
	held, err := Reserve(dir+"/defs.json", 1)
	must(t, err)
	for _, name := range []string{".defs.json.1234.tmp", ".defs.json.mine.tmp", ".other.json.1234.tmp", "defs.json.1234.tmp"} {
		must(t, os.WriteFile(dir+"/"+name, nil, 0o600))
	}
	must(t, os.Symlink("elsewhere", dir+"/.defs.json.77.tmp"))
	p, err := Reserve(dir+"/defs.json", 1)
	must(t, err)
	must(t, p.Discard())
	if _, err := held.Write([]byte("x")); err != nil {
		t.Errorf("a file that is held was removed: %v", err)
	}
	only(t, dir, ".defs.json.77.tmp", ".defs.json.mine.tmp", ".other.json.1234.tmp", "defs.json", "defs.json.1234.tmp")
}
