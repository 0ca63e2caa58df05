package runc

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// watcher waits for a file to be moved to a directory.
type watcher struct {
	file *os.File
	seen chan struct{} // closed when the file is there
}

// watch watches a directory for a file, by inotify(7).
func watch(dir, name string) (*watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("inotify: %w", err)
	}
	w := &watcher{os.NewFile(uintptr(fd), "inotify"), make(chan struct{})}
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_MOVED_TO); err != nil {
		w.Close()
		return nil, fmt.Errorf("inotify: %s: %w", dir, err)
	}
	go w.read(name)
	return w, nil
}

// read reads events until the file is seen or the watcher is closed.
func (w *watcher) read(name string) {
	buffer := make([]byte, 4096)
	for {
		n, err := w.file.Read(buffer)
		if err != nil {
			return
		}
		for rest := buffer[:n]; len(rest) >= unix.SizeofInotifyEvent; {
			end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(rest[12:]))
			if string(bytes.TrimRight(rest[unix.SizeofInotifyEvent:end], "\x00")) == name {
				close(w.seen)
				return
			}
			rest = rest[end:]
		}
	}
}

// Close ends the watch.
func (w *watcher) Close() error { return w.file.Close() }
