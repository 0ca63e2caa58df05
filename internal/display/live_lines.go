package display

import (
	"strings"

	"github.com/moby/buildkit/client"
	digest "github.com/opencontainers/go-digest"

	"slipway/internal/plain"
)

// liveLines is what a step printed and did not end yet.
type liveLines struct {
	partial string
	last    *client.VertexLog
	ended   bool // whether the step has
}

// whole returns the output of a step as it may be drawn: whole lines, and redrawn
// ones, since a secret is found only in those. The rest is kept for later.
func (d *liveDisplay) whole(l *client.VertexLog) []*client.VertexLog {
	lines := d.lines[l.Vertex]
	if lines == nil {
		lines = &liveLines{}
		d.lines[l.Vertex] = lines
	}
	text := lines.partial + string(l.Data)
	end := strings.LastIndexAny(text, "\r\n") + 1
	if lines.ended {
		end = len(text)
	}
	lines.partial, lines.last = clipped(text[end:]), l
	if end == 0 {
		return nil
	}
	return []*client.VertexLog{d.drawn(l, text[:end])}
}

// rest returns what a step that has ended left without an end.
func (d *liveDisplay) rest(step digest.Digest) []*client.VertexLog {
	lines := d.lines[step]
	if lines == nil {
		d.lines[step] = &liveLines{ended: true}
		return nil
	}
	lines.ended = true
	if lines.partial == "" {
		return nil
	}
	text := lines.partial
	lines.partial = ""
	return []*client.VertexLog{d.drawn(lines.last, text)}
}

// drawn returns a piece of output with nothing in it that a terminal acts on, but
// for the ends of lines.
func (d *liveDisplay) drawn(l *client.VertexLog, text string) *client.VertexLog {
	var b strings.Builder
	for text != "" {
		end := strings.IndexAny(text, "\r\n")
		line, rest := text, ""
		if end >= 0 {
			line, rest = text[:end], text[end:]
		}
		b.WriteString(d.s.shown(plain.Output(line)))
		text = strings.TrimLeft(rest, "\r\n")
		b.WriteString(rest[:len(rest)-len(text)])
	}
	out := *l
	out.Data = []byte(b.String())
	return &out
}
