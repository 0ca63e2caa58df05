package mirror_test

import (
	"slices"
	"strings"
	"testing"

	"slipway/internal/mirror"
)

const account = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"

const digest = "@sha256:6b24cfa4d0f16b24cfa4d0f16b24cfa4d0f16b24cfa4d0f16b24cfa4d0f16b24"

func TestMirror(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ mirrors, image, want string }{
		{"docker.io=" + account + "/docker-hub", "alpine:3", account + "/docker-hub/library/alpine:3"},
		{"docker.io=" + account + "/docker-hub", "alpine", account + "/docker-hub/library/alpine"},
		{"docker.io=" + account + "/docker-hub", "grafana/grafana:12", account + "/docker-hub/grafana/grafana:12"},
		{"docker.io=" + account + "/docker-hub", "docker.io/library/alpine:3" + digest, account + "/docker-hub/library/alpine:3" + digest},
		{"docker.io=" + account + "/docker-hub", "index.docker.io/library/alpine" + digest, account + "/docker-hub/library/alpine" + digest},
		{"index.docker.io=mirror.example", "alpine:3", "mirror.example/library/alpine:3"},
		{"docker.io/library=public.ecr.aws/docker/library", "alpine:3", "public.ecr.aws/docker/library/alpine:3"},
		{"docker.io/library=public.ecr.aws/docker/library", "grafana/grafana:12", "grafana/grafana:12"},
		{"docker.io/library=public.ecr.aws/docker/library", "docker.io/library2/x:1", "docker.io/library2/x:1"},
		{"docker.io/grafana/grafana=mirror.example/g", "grafana/grafana:12", "mirror.example/g:12"},
		{"docker.io=mirror.example,docker.io/library=public.ecr.aws/docker/library", "alpine:3", "public.ecr.aws/docker/library/alpine:3"},
		{"docker.io=mirror.example,docker.io/library=public.ecr.aws/docker/library", "grafana/grafana:12", "mirror.example/grafana/grafana:12"},
		{"ghcr.io=localhost:5000", "ghcr.io/a/b:1", "localhost:5000/a/b:1"},
		{"ghcr.io=localhost:5000", "alpine:3", "alpine:3"},
		{"docker.io=mirror.example", "Not An Image", "Not An Image"},
		{"", "alpine:3", "alpine:3"},
	} {
		list, err := mirror.Parse(strings.FieldsFunc(c.mirrors, func(r rune) bool { return r == ',' }))
		if err != nil {
			t.Errorf("Parse(%q): %v", c.mirrors, err)
		}
		if got := list.Mirror(c.image); got != c.want {
			t.Errorf("with %q, the copy of %s is %s, want %s", c.mirrors, c.image, got, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"docker.io":                               "want REGISTRY=HOST",
		"docker.io=":                              `"" does not begin with the host`,
		"=mirror.example":                         `"" does not begin with the host`,
		"library=mirror.example":                  `"library" does not begin with the host`,
		"docker.io=mirror":                        `"mirror" does not begin with the host`,
		"docker.io=https://mirror.example":        "is not a registry with a prefix",
		"docker.io=mirror.example/A":              "is not a registry with a prefix",
		"docker.io=mirror.example/a:1":            "is not a registry with a prefix",
		"docker.io=mirror.example/":               "is not a registry with a prefix",
		"docker.io/library=docker.io/library/b":   "itself has the mirror",
		"docker.io=a.example,docker.io=b.example": "has two mirrors",
		"docker.io=a.example,a.example=b.example": "a.example itself has the mirror b.example",
	} {
		if _, err := mirror.Parse(strings.Split(value, ",")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q): %v, want %s", value, err, want)
		}
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	list, err := mirror.Parse([]string{"docker.io=" + account + "/hub", "ghcr.io=localhost:5000"})
	if got := list.Hosts(); err != nil || !slices.Equal(got, []string{account, "localhost:5000"}) {
		t.Errorf("Hosts() = %q, error %v; want the two hosts", got, err)
	}
}

// Whatever Parse takes, a copy has no copy.
func FuzzMirror(f *testing.F) {
	f.Add("docker.io=mirror.example/a", "alpine:3")
	f.Add("ghcr.io/a=localhost:5000", "ghcr.io/a/b"+digest)
	f.Fuzz(func(t *testing.T, value, image string) {
		list, err := mirror.Parse([]string{value})
		if err != nil {
			return
		}
		once := list.Mirror(image)
		if twice := list.Mirror(once); once != image && twice != once {
			t.Errorf("%s: the copy of %s is %s, and its copy is %s", value, image, once, twice)
		}
		again, err := mirror.Parse([]string{list[0].String()})
		if err != nil || again[0] != list[0] {
			t.Errorf("%q is read as %s, and that as %v, %v", value, list[0], again, err)
		}
	})
}
