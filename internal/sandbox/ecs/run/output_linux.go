package run

import (
	"bufio"
	"io"
	"os"
	"sync"
)

// longestLine is the length at which a line is split, as Docker does.
const longestLine = 16 << 10

// output reads what a process writes, line by line.
type output struct {
	stdout, stderr *os.File // the process's ends
	readers        []*os.File
	lines          func([]string)
	reading        sync.WaitGroup
}

func newOutput(lines func([]string)) (*output, error) {
	o := &output{lines: lines}
	for _, end := range []**os.File{&o.stdout, &o.stderr} {
		r, w, err := os.Pipe()
		if err != nil {
			o.close()
			return nil, err
		}
		*end = w
		o.readers = append(o.readers, r)
	}
	return o, nil
}

func (o *output) close() {
	for _, f := range append(o.readers, o.stdout, o.stderr) {
		f.Close() // a nil file has nothing to close
	}
}

// started begins to read, after runc has been started. What runc itself writes
// about a process that did not start is left out.
func (o *output) started(ok bool) {
	o.stdout.Close()
	o.stderr.Close()
	for _, r := range o.readers {
		o.reading.Go(func() {
			if ok {
				o.read(r)
			}
			r.Close()
		})
	}
}

// read reads until the process and all its children have ended.
func (o *output) read(r io.Reader) {
	b := bufio.NewReaderSize(r, longestLine)
	for {
		line, _, err := b.ReadLine()
		if err != nil {
			return
		}
		if len(line) > 0 { // CloudWatch Logs has no empty events
			o.lines([]string{string(line)})
		}
	}
}

// wait waits until all has been read.
func (o *output) wait() { o.reading.Wait() }
