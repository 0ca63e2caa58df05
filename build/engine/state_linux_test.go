package engine

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestPrivateDirIsNarrowed(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{filepath.Join(t.TempDir(), "a", "b"), filepath.Join(t.TempDir(), "wide")} {
		if filepath.Base(dir) == "wide" {
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(dir, 0o777); err != nil {
				t.Fatal(err)
			}
		}
		if err := privateDir(dir); err != nil || mode(t, dir) != 0o700 {
			t.Errorf("%s has mode %o, %v", dir, mode(t, dir), err)
		}
	}
}

// What somebody else may have put there is not used.
func TestPrivateDirOfOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(t.TempDir(), link); err != nil {
		t.Fatal(err)
	}
	others := "/" // the tests of an ordinary user find root's
	if root() {
		others = filepath.Join(dir, "others")
		if err := os.Mkdir(others, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(others, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	shared := filepath.Join(dir, "shared")
	if err := errors.Join(os.Mkdir(shared, 0o700), os.WriteFile(filepath.Join(shared, "buildkitd.sock"), nil, 0o600), os.Chmod(shared, 0o775)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{link: "is not a directory", others: "belongs to user ", shared: "was writable by other users, and holds files"} {
		err := privateDir(path)
		var refused *StateError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v lacks %q", path, err, want)
		}
	}
	if err := privateDir(shared); err == nil {
		t.Error("asked twice, the shared directory is used")
	}
}

func TestPrivateFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	wide, link := filepath.Join(dir, "wide"), filepath.Join(dir, "link")
	if err := os.WriteFile(wide, []byte("longer than the new text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(wide, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := writePrivate(wide, []byte("new")); err != nil || mode(t, wide) != 0o600 {
		t.Errorf("mode %o, %v", mode(t, wide), err)
	}
	if text, err := os.ReadFile(wide); string(text) != "new" {
		t.Errorf("the file holds %q, %v, want new", text, err)
	}
	if err := os.Symlink(wide, link); err != nil {
		t.Fatal(err)
	}
	if err := writePrivate(link, []byte("through")); err == nil {
		t.Error("a symbolic link was followed")
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	const table = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
slip1	000012C6	00000000	0001	0	0	0	00FCFFFF	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
short	line
`
	got := routePrefixes(table)
	if len(got) != 2 || got[0].String() != "198.18.0.0/22" || got[1].String() != "192.0.2.0/24" {
		t.Errorf("have %v", got)
	}
	head, rest, _ := strings.Cut(table, "eth0\t00000000")
	_, rest, _ = strings.Cut(rest, "\n")
	if !hasDefault(table) || hasDefault(head+rest) {
		t.Errorf("a default route: %v, %v without it", hasDefault(table), hasDefault(head+rest))
	}
}

func TestFirstFreeSubnet(t *testing.T) {
	t.Parallel()
	for want, used := range map[string][]string{
		"198.18.0.0/22":   {"10.0.0.0/8", "192.0.2.0/24"},
		"198.18.8.0/22":   {"198.18.0.0/22", "198.18.5.7/32"},
		"198.18.128.0/22": {"198.18.0.0/17"},
		"":                {"198.18.0.0/15"},
	} {
		var prefixes []netip.Prefix
		for _, u := range used {
			prefixes = append(prefixes, netip.MustParsePrefix(u))
		}
		s, ok := firstFree(prefixes)
		if ok != (want != "") || ok && s.String() != want {
			t.Errorf("with %v in use: %v, %v; want %s", used, s, ok, want)
		}
	}
}

// BuildKit gives steps Google's resolvers where the host's are on its loopback.
func TestResolverReachable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stub := filepath.Join(dir, "stub")
	for text, c := range map[string]struct {
		behind string
		ok     bool
	}{
		"nameserver 10.0.0.2\n":                                 {ok: true},
		"search a\nnameserver 127.0.0.1\nnameserver 10.0.0.2\n": {ok: true},
		"":                                      {ok: true},
		"nameserver 127.0.0.1\n":                {},
		"nameserver 127.0.0.11\noptions x\n":    {},
		"nameserver fd00::2\n":                  {},
		"nameserver 127.0.0.53\n":               {behind: "nameserver 10.0.0.2\n", ok: true},
		"nameserver 127.0.0.53 # a comment\n":   {behind: "# nothing\n"},
		"nameserver 127.0.0.53\nnameserver ::1": {behind: "nameserver 10.0.0.2\n"},
	} {
		conf := filepath.Join(dir, "resolv.conf")
		if err := errors.Join(os.WriteFile(conf, []byte(text), 0o600), os.WriteFile(stub, []byte(c.behind), 0o600)); err != nil {
			t.Fatal(err)
		}
		if err := resolverReachable(conf, stub); (err == nil) != c.ok {
			t.Errorf("%q with %q behind it: %v", text, c.behind, err)
		}
	}
}

func TestMessagesOfALog(t *testing.T) {
	t.Parallel()
	log := "buildkitd: plugin failed\nCNI setup error\nmain.f\n\t/src/main.go:1\nruntime.goexit\n\t/src/asm.s:2\n"
	if got := strings.Join(messages(log), "|"); got != "buildkitd: plugin failed|CNI setup error" {
		t.Errorf("messages(%q) = %s, want the lines without the stack", log, got)
	}
}
