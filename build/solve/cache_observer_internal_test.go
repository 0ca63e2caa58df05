package solve

import (
	"errors"
	"testing"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
)

// An engine that finds no layers for a build with steps reports it in its progress, not as
// an error.
func TestEmptyExportIsNotWritten(t *testing.T) {
	base := &client.Vertex{Name: "[1/1] FROM docker.io/library/base"}
	step := &client.Vertex{Name: "[1/1] COPY a /", Inputs: []digest.Digest{"sha256:base"}}
	empty := &client.VertexStatus{ID: "skipping cache export for empty result"}
	for name, c := range map[string]struct {
		status client.SolveStatus
		want   error
	}{
		"written":        {client.SolveStatus{Vertexes: []*client.Vertex{base, step}}, nil},
		"without steps":  {client.SolveStatus{Vertexes: []*client.Vertex{base}, Statuses: []*client.VertexStatus{empty}}, nil},
		"without layers": {client.SolveStatus{Vertexes: []*client.Vertex{base, step}, Statuses: []*client.VertexStatus{empty}}, errEmptyExport},
	} {
		var w cacheObserver
		w.see(&c.status)
		if err := w.notWritten(); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}
