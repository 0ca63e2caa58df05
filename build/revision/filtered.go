package revision

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxPointer is the size in bytes below which a blob can be a pointer of Git LFS
// (docs/spec.md of Git LFS, "The Pointer").
const maxPointer = 1024

// withoutFiltered leaves out the files that .gitattributes gives a filter and that are
// as they were checked out. Filters are programs, and none is run: git compares such a
// file without one, where its view of the file is stale or as old as the file. So the
// file of a Git LFS pointer is compared with the pointer's checksum, any other with the
// size and the time, to the nanosecond, that the index keeps.
func (t *tree) withoutFiltered(ctx context.Context, changes []change) ([]change, error) {
	var paths []string
	for _, c := range changes {
		if c.unstaged != "" {
			paths = append(paths, c.path)
		}
	}
	if len(paths) == 0 {
		return changes, nil
	}
	filtered, err := t.filtered(ctx, paths)
	if err != nil || len(filtered) == 0 {
		return changes, err
	}
	same, err := t.asCheckedOut(ctx, filtered)
	if err != nil {
		return nil, err
	}
	changes = slices.DeleteFunc(changes, func(c change) bool { return c.unstaged != "" && same[c.path] })
	pointers, err := t.pointers(ctx, slices.DeleteFunc(slices.Clone(changes), func(c change) bool { return !slices.Contains(filtered, c.path) }))
	if err != nil {
		return nil, err
	}
	var kept []change
	for _, c := range changes {
		if p, ok := pointers[c.path]; ok && p.describes(ctx, filepath.Join(t.dir, c.path)) {
			continue
		}
		kept = append(kept, c)
	}
	return kept, ctx.Err()
}

// filtered are the paths that have the attribute "filter".
func (t *tree) filtered(ctx context.Context, paths []string) ([]string, error) {
	out, err := t.git(ctx, strings.Join(paths, "\x00")+"\x00", "check-attr", "-z", "--stdin", "filter")
	if err != nil {
		return nil, err
	}
	var filtered []string
	fields := strings.Split(out, "\x00")
	for i := 0; i+2 < len(fields); i += 3 {
		if value := fields[i+2]; value != "unspecified" && value != "unset" {
			filtered = append(filtered, fields[i])
		}
	}
	return filtered, nil
}

// asCheckedOut reports for each path whether its size and time are those of the index.
func (t *tree) asCheckedOut(ctx context.Context, paths []string) (map[string]bool, error) {
	args := append([]string{"--literal-pathspecs", "ls-files", "--debug", "-z", "--"}, paths...)
	out, err := t.git(ctx, "", args...)
	if err != nil {
		return nil, err
	}
	same := map[string]bool{}
	for rest := out; ; {
		path, after, ok := strings.Cut(rest, "\x00")
		if !ok {
			return same, nil
		}
		at := debugEntry.FindStringSubmatch(after)
		if at == nil {
			return same, nil // another git's form: then none is known to be the same
		}
		info, err := os.Lstat(filepath.Join(t.dir, path))
		same[path] = err == nil && info.Mode().IsRegular() &&
			fmt.Sprintf("%d:%d", uint32(info.ModTime().Unix()), info.ModTime().Nanosecond()) == at[1] &&
			strconv.FormatUint(uint64(uint32(info.Size())), 10) == at[2]
		rest = after[len(at[0]):]
	}
}

// debugEntry matches the lines that `git ls-files --debug` prints below a path.
var debugEntry = regexp.MustCompile(`^  ctime: \d+:\d+\n  mtime: (\d+:\d+)\n  dev: \d+\tino: \d+\n  uid: \d+\tgid: \d+\n  size: (\d+)\tflags: [0-9a-f]+\n`)

// pointer is the text that Git LFS keeps in place of a file.
type pointer struct {
	sum  string // sha256 in hex
	size int64
}

var pointerLines = regexp.MustCompile(`\Aversion https://git-lfs\.github\.com/spec/v1\n(?:[a-z0-9.-]+ [^\n]*\n)*?oid sha256:([0-9a-f]{64})\nsize (\d{1,18})\n`)

// pointers reads the pointers among the blobs of the index.
func (t *tree) pointers(ctx context.Context, changes []change) (map[string]pointer, error) {
	small, err := t.small(ctx, changes)
	if err != nil || len(small) == 0 {
		return nil, err
	}
	var ids strings.Builder
	for _, c := range small {
		ids.WriteString(c.unstaged + "\n")
	}
	out, err := t.git(ctx, ids.String(), "cat-file", "--batch")
	if err != nil {
		return nil, err
	}
	pointers, rest := map[string]pointer{}, []byte(out)
	for _, c := range small {
		header, after, _ := bytes.Cut(rest, []byte("\n"))
		size := blobSize(string(header))
		if size < 0 || size+1 > int64(len(after)) {
			return pointers, nil
		}
		if m := pointerLines.FindSubmatch(after[:size]); m != nil {
			n, _ := strconv.ParseInt(string(m[2]), 10, 64) // 18 digits at most
			pointers[c.path] = pointer{string(m[1]), n}
		}
		rest = after[size+1:]
	}
	return pointers, nil
}

// small are the changes whose blob can be a pointer.
func (t *tree) small(ctx context.Context, changes []change) ([]change, error) {
	var ids strings.Builder
	for _, c := range changes {
		ids.WriteString(c.unstaged + "\n")
	}
	if len(changes) == 0 {
		return nil, nil
	}
	out, err := t.git(ctx, ids.String(), "cat-file", "--batch-check")
	if err != nil {
		return nil, err
	}
	var small []change
	for i, line := range strings.Split(strings.TrimSuffix(out, "\n"), "\n") {
		if size := blobSize(line); i < len(changes) && size >= 0 && size < maxPointer {
			small = append(small, changes[i])
		}
	}
	return small, nil
}

// blobSize reads "ID blob SIZE" of git-cat-file(1); -1 for anything else.
func blobSize(line string) int64 {
	fields := strings.Fields(line)
	if len(fields) != 3 || fields[1] != "blob" {
		return -1
	}
	n, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// describes reports whether the file at path is the one that p stands for.
func (p pointer) describes(ctx context.Context, path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() != p.size {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	sum, err := fileSum(ctx, f)
	return err == nil && hex.EncodeToString([]byte(sum)) == p.sum
}
