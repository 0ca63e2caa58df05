package main

import (
	"strings"
	"testing"
)

func TestLessen(t *testing.T) {
	for name, c := range map[string]struct{ config, want string }{
		"seccomp":   {`{"linux":{"seccomp":{"a":1},"x":[1.50]},"root":{"path":"r"}}`, `{"linux":{"x":[1.50]},"root":{"path":"r"}}`},
		"devpts":    {`{"mounts":[{"type":"devpts","options":["gid=5","mode=0620"]}]}`, `{"mounts":[{"options":["mode=0620"],"type":"devpts"}]}`},
		"other gid": {`{"mounts":[{"type":"tmpfs","options":["gid=5"]}]}`, `{"mounts":[{"options":["gid=5"],"type":"tmpfs"}]}`},
		"neither":   {`{"hooks":{}}`, `{"hooks":{}}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := lessen([]byte(c.config))
			if err != nil || string(got) != c.want {
				t.Errorf("got %s, %v; want %s", got, err, c.want)
			}
		})
	}
}

func TestLessenNamesTheField(t *testing.T) {
	_, err := lessen([]byte(`{"linux":3}`))
	if err == nil || !strings.Contains(err.Error(), "linux") {
		t.Errorf("got %v, want an error of linux", err)
	}
}

func TestBundle(t *testing.T) {
	for line, want := range map[string]string{
		"runc --log l run --bundle /b --keep id": "/b",
		"runc run --bundle=/b id":                "/b",
		"runc run -b /b id":                      "/b",
		"runc delete bundle":                     "",
		"runc run --bundle":                      "",
	} {
		if got := bundle(strings.Fields(line)); got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}
