package engine

import (
	"slices"
	"testing"
)

// BuildKit before v0.13 ignores that times are to be rewritten, and Docker's
// classic store cannot rewrite them.
func TestWhichEnginesRewriteTimes(t *testing.T) {
	for _, c := range []struct {
		about  string
		engine Engine
		can    bool
	}{
		{"current", Engine{Kind: Buildkitd, BuildKit: "v0.34.2"}, true},
		{"the first", Engine{Kind: Buildkitd, BuildKit: "v0.13.0"}, true},
		{"old", Engine{Kind: Buildkitd, BuildKit: "v0.12.5"}, false},
		{"built from source", Engine{Kind: Buildkitd, BuildKit: "v0.0.0+unknown"}, false},
		{"without a version", Engine{Kind: Buildkitd}, true},
		{"Docker 25, containerd store", Engine{Kind: Docker, BuildKit: "v0.12.4"}, false},
		{"Docker 29, containerd store", Engine{Kind: Docker, BuildKit: "v0.33.0"}, true},
		{"Docker 29, classic store", Engine{Kind: Docker, BuildKit: "v0.33.0", Images: &Images{}}, false},
	} {
		lacks := c.engine.missing(Requirements{Reproducible: true})
		if can := len(lacks) == 0; can != c.can {
			t.Errorf("%s: can rewrite times: %v, want %v", c.about, can, c.can)
		}
		if !c.can && !slices.Equal(lacks, []string{"make reproducible images"}) {
			t.Errorf("%s: lacks %q", c.about, lacks)
		}
		if without := c.engine.missing(Requirements{}); len(without) > 0 {
			t.Errorf("%s: nothing is asked and it lacks %q", c.about, without)
		}
	}
}

// BuildKit before v0.11 and Docker before 24 ignore source policies.
func TestWhichEnginesRewriteNames(t *testing.T) {
	for _, c := range []struct {
		about  string
		engine Engine
		can    bool
	}{
		{"current", Engine{Kind: Buildkitd, BuildKit: "v0.34.2"}, true},
		{"the first", Engine{Kind: Buildkitd, BuildKit: "v0.11.0"}, true},
		{"old", Engine{Kind: Buildkitd, BuildKit: "v0.10.6"}, false},
		{"without a version", Engine{Kind: Buildkitd}, true},
		{"Docker 23", Engine{Kind: Docker, docker: &dockerEngine{api: "1.42"}}, false},
		{"Docker 24", Engine{Kind: Docker, docker: &dockerEngine{api: "1.43"}}, true},
	} {
		lacks := c.engine.missing(Requirements{Mirrors: true})
		if can := len(lacks) == 0; can != c.can {
			t.Errorf("%s: can pull from mirrors: %v, want %v", c.about, can, c.can)
		}
		if !c.can && !slices.Equal(lacks, []string{"pull images from mirrors"}) {
			t.Errorf("%s: lacks %q", c.about, lacks)
		}
	}
}
