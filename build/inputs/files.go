package inputs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"github.com/tonistiigi/fsutil"
	fstypes "github.com/tonistiigi/fsutil/types"
	"golang.org/x/sync/errgroup"

	"slipway/build/localfs"
	"slipway/internal/bounded"
)

// Files hashes the files of local directories, each once while it stays as it
// is. It may be used by several goroutines.
type Files struct {
	own []string

	mu   sync.Mutex
	sums map[string]*fileSum
}

// NewFiles returns a Files that leaves out the files that Slipway writes, given
// by absolute paths.
func NewFiles(own []string) *Files { return &Files{own: own, sums: map[string]*fileSum{}} }

// fileSum is the checksum of a file as it was at a time.
type fileSum struct {
	once sync.Once
	sum  string
	err  error
}

// tree is the part of a directory that a source selects.
type tree struct {
	// sum is the checksum of it all.
	sum string
	// files are the checksums by path; a directory's path ends in a slash.
	files map[string]string
}

// capability is the one extended attribute that BuildKit's own checksums of
// files count (cache/contenthash).
const capability = "security.capability"

// tree hashes what a local source selects, the way the engine asks for it.
func (f *Files) tree(ctx context.Context, dir string, s source) (*tree, error) {
	selected, err := f.selected(dir, s)
	if err != nil {
		return nil, err
	}
	nodes, err := list(ctx, selected)
	if err != nil {
		return nil, err
	}
	sums := make([]string, len(nodes))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, n := range nodes {
		if !n.mode.IsRegular() {
			continue
		}
		g.Go(func() (err error) {
			sums[i], err = f.Sum(ctx, filepath.Join(dir, filepath.FromSlash(n.path)))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	out := &tree{files: map[string]string{}}
	h := sha256.New()
	for i, n := range nodes {
		sum := checksum(n.describe(), sums[i])
		io.WriteString(h, checksum(n.path, sum))
		if n.mode.IsDir() {
			n.path += "/"
		}
		out.files[n.path] = sum
	}
	out.sum = hex.EncodeToString(h.Sum(nil))
	return out, nil
}

// selected is the part of a directory that a source selects.
func (f *Files) selected(dir string, s source) (fsutil.FS, error) {
	whole, err := localfs.Whole(dir, f.own)
	if err != nil {
		return nil, err
	}
	opt := &fsutil.FilterOpt{}
	for name, to := range map[string]*[]string{
		selecting[0]: &opt.IncludePatterns, selecting[1]: &opt.FollowPaths, selecting[2]: &opt.ExcludePatterns,
	} {
		if *to, err = s.list(name); err != nil {
			return nil, err
		}
	}
	return fsutil.NewFilterFS(whole, opt)
}

// node is an entry of a directory.
type node struct {
	path string
	mode fs.FileMode
	link string
	cap  string
	rdev string
}

// describe is all of an entry but its path and its bytes: kind, permissions, the
// target of a link, capabilities and the number of a device. Times and owners
// are no part of it.
func (n node) describe() string {
	return checksum(n.mode.Type().String(), strconv.FormatUint(uint64(n.mode&(fs.ModePerm|fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky)), 8), n.link, n.cap, n.rdev)
}

// list walks a tree, sorted by path.
func list(ctx context.Context, tree fsutil.FS) ([]node, error) {
	var nodes []node
	err := tree.Walk(ctx, "", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		n := node{path: filepath.ToSlash(path), mode: info.Mode()}
		if stat, ok := info.Sys().(*fstypes.Stat); ok {
			n.cap = string(stat.Xattrs[capability])
			if n.mode&fs.ModeSymlink != 0 {
				n.link = stat.Linkname // a hard link's is the other name of the same file
			}
			if n.mode&fs.ModeDevice != 0 {
				n.rdev = fmt.Sprint(stat.Devmajor, ":", stat.Devminor)
			}
		}
		nodes = append(nodes, n)
		return nil
	})
	slices.SortFunc(nodes, func(a, b node) int {
		if a.path < b.path {
			return -1
		}
		return 1
	})
	return nodes, err
}

// checksumOfNothing stands for a socket, which an engine gets as an empty file:
// fsutil clears its kind, and sends nothing of a file that cannot be opened.
var checksumOfNothing = hex.EncodeToString(sha256.New().Sum(nil))

// Sum is the sha256 of a file's bytes in hex. A file is read once as long as its
// size and its times stay.
func (f *Files) Sum(ctx context.Context, path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	if info.Mode()&fs.ModeSocket != 0 {
		return checksumOfNothing, nil
	}
	key := fmt.Sprintf("%s\x00%d\x00%d\x00%s", path, info.Size(), info.ModTime().UnixNano(), changeTime(info))
	f.mu.Lock()
	s := f.sums[key]
	if s == nil {
		s = &fileSum{}
		f.sums[key] = s
	}
	f.mu.Unlock()
	s.once.Do(func() { s.sum, s.err = hashFile(ctx, path) })
	return s.sum, s.err
}

// buffers are for reading files: one for each of many small files would be more than
// all else that a build without changes allocates.
var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// hashFile hashes a regular file.
func hashFile(ctx context.Context, path string) (string, error) {
	file, err := bounded.Open(ctx, path, math.MaxInt64)
	if err != nil {
		return "", err
	}
	defer file.Close()
	h := sha256.New()
	buffer := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(buffer)
	if _, err := io.CopyBuffer(h, bounded.Reader(ctx, file), buffer[:]); err != nil {
		return "", fmt.Errorf("%q: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
