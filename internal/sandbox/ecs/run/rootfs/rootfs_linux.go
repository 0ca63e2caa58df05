// Package rootfs unpacks images into root directories of containers.
package rootfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/containerd/containerd/v2/pkg/archive"
	"github.com/containerd/continuity/fs"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"
)

// Store keeps images unpacked in a directory, each once.
type Store struct {
	dir string

	mu     sync.Mutex
	images map[v1.Hash]*unpacked
}

// unpacked is an image that is unpacked, once done is set.
type unpacked struct {
	mu   sync.Mutex
	done bool
}

// NewStore returns a store without images.
func NewStore(dir string) *Store { return &Store{dir: dir, images: map[v1.Hash]*unpacked{}} }

// Unpack returns the directory with an image's files, which is not to be changed.
func (s *Store) Unpack(ctx context.Context, image v1.Image) (string, error) {
	digest, err := image.Digest()
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	u := s.images[digest]
	if u == nil {
		u = &unpacked{}
		s.images[digest] = u
	}
	s.mu.Unlock()
	dir := filepath.Join(s.dir, digest.Hex)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.done {
		return dir, nil
	}
	if err := unpack(ctx, image, dir); err != nil {
		return "", errors.Join(fmt.Errorf("unpacking image %s: %w", digest, err), os.RemoveAll(dir))
	}
	u.done = true
	return dir, nil
}

func unpack(ctx context.Context, image v1.Image, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for _, l := range layers {
		if err := apply(ctx, l, dir); err != nil {
			return err
		}
	}
	return nil
}

func apply(ctx context.Context, l v1.Layer, dir string) error {
	content, err := l.Uncompressed()
	if err != nil {
		return err
	}
	_, err = archive.Apply(ctx, dir, content)
	return errors.Join(err, content.Close())
}

// Rootfs is the root directory of a container.
type Rootfs struct {
	// Path is the directory.
	Path string

	dir     string
	mounted bool
}

// New makes a root directory with an image's files, as a layer over them or, where
// the kernel cannot do that, as a copy.
func New(image, dir string) (*Rootfs, error) {
	r := &Rootfs{Path: filepath.Join(dir, "rootfs"), dir: dir}
	upper, work := filepath.Join(dir, "upper"), filepath.Join(dir, "work")
	for _, d := range []string{r.Path, upper, work} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, err
		}
	}
	err := unix.Mount("overlay", r.Path, "overlay", 0, fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", image, upper, work))
	if err == nil {
		r.mounted = true
		return r, nil
	}
	if err := fs.CopyDir(r.Path, image); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return r, nil
}

// Remove unmounts and removes a root directory.
func (r *Rootfs) Remove() error {
	if r.mounted {
		if err := unix.Unmount(r.Path, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmounting %s: %w", r.Path, err)
		}
	}
	return os.RemoveAll(r.dir)
}
