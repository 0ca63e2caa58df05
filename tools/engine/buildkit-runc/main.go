// Command buildkit-runc is the program with which the pinned buildkitd runs a
// build step. It removes from the container's configuration two things that the
// runc next to it cannot do, and then becomes that runc:
//
//   - the seccomp profile. runc filters system calls only if it is linked with
//     the C library libseccomp, which a Go toolchain does not have, and it
//     starts no container with a profile that it cannot apply;
//   - the group of /dev/pts, which does not exist in the user namespace of an
//     ordinary user, where only one user and one group do.
//
// So the build steps of this engine have no filter of system calls. It is for
// Dockerfiles that are trusted: in tests, demonstrations and releases. For
// others, replace it by a runc that is linked with libseccomp.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func main() {
	err := run(os.Args)
	fmt.Fprintln(os.Stderr, "buildkit-runc:", err)
	os.Exit(1)
}

// run returns only if runc could not be started.
func run(args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if dir := bundle(args); dir != "" {
		if err := rewrite(filepath.Join(dir, "config.json")); err != nil {
			return err
		}
	}
	runc := filepath.Join(filepath.Dir(self), "runc")
	return syscall.Exec(runc, append([]string{runc}, args[1:]...), os.Environ())
}

// bundle returns the value of runc's --bundle flag, or "" without one.
func bundle(args []string) string {
	for i, a := range args {
		name, value, inline := strings.Cut(strings.TrimLeft(a, "-"), "=")
		switch {
		case !strings.HasPrefix(a, "-") || name != "bundle" && name != "b":
		case inline:
			return value
		case i+1 < len(args):
			return args[i+1]
		}
	}
	return ""
}

func rewrite(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b, err = lessen(b)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, b, 0o600)
}

// object is a JSON object whose fields stay as they are unless replaced.
type object map[string]json.RawMessage

// lessen returns an OCI runtime configuration without linux.seccomp and
// without the gid option of devpts, all else as it was.
func lessen(config []byte) ([]byte, error) {
	var top object
	if err := json.Unmarshal(config, &top); err != nil {
		return nil, err
	}
	if err := edit(top, "linux", func(linux object) { delete(linux, "seccomp") }); err != nil {
		return nil, err
	}
	if err := edit(top, "mounts", dropTerminalGroup); err != nil {
		return nil, err
	}
	return json.Marshal(top)
}

// edit decodes a field, lets change work on it and puts it back. A missing
// field stays missing.
func edit[T any](o object, field string, change func(T)) error {
	if o[field] == nil {
		return nil
	}
	var v T
	err := json.Unmarshal(o[field], &v)
	if err == nil {
		change(v)
		o[field], err = json.Marshal(v)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	return nil
}

func dropTerminalGroup(mounts []object) {
	for _, m := range mounts {
		var options []string
		if string(m["type"]) != `"devpts"` || json.Unmarshal(m["options"], &options) != nil {
			continue
		}
		options = slices.DeleteFunc(options, func(o string) bool { return strings.HasPrefix(o, "gid=") })
		m["options"], _ = json.Marshal(options) // strings always marshal
	}
}
