package display

import (
	"fmt"
	"io"
	"testing"

	"github.com/moby/buildkit/client"
	digest "github.com/opencontainers/go-digest"
)

// BenchmarkPlainDisplay is the heavy output of a RUN step, one line in ten in colour.
func BenchmarkPlainDisplay(b *testing.B) {
	s := benchScreen()
	d := newPlainDisplay(s, []string{"web"})
	step := &client.Vertex{Digest: digest.FromString("run"), Name: "RUN npm ci"}
	var data []byte
	for i := range 50 {
		if i%10 == 0 {
			data = append(data, "\x1b[32m"...)
		}
		data = fmt.Appendf(data, "npm http fetch GET 200 https://registry.npmjs.org/package-%d attempt #1 in 12ms (cache miss)", i)
		if i%10 == 0 {
			data = append(data, "\x1b[0m"...)
		}
		data = append(data, '\n')
	}
	d.Status("web", &client.SolveStatus{Vertexes: []*client.Vertex{step}})
	status := &client.SolveStatus{Logs: []*client.VertexLog{{Vertex: step.Digest, Data: data}}}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		d.Status("web", status)
	}
}

func benchScreen() *Screen {
	s := testScreen(io.Discard, "npm_0123456789abcdefghijklmnop")
	s.Secrets.AddEnviron([]string{"AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"})
	s.Secrets.AddLogin("AWS", "eyJwYXlsb2FkIjoieHh4eHh4eHh4eHh4eHh4eHh4In0=")
	return s
}
