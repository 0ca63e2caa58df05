package cmd

import (
	"archive/tar"
	"errors"
	"io"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Every engine makes reproducible images or, where it cannot, refuses to build
// before anything is pushed. TestReproducible of build/solve compares cold builds.
func TestReproducibleOnEveryEngine(t *testing.T) {
	t.Parallel()
	for name, start := range engineCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			on := start(t)
			s := newEngineFixture(t, "reproducible "+name, on)
			if name == "docker, classic" || name == "docker, current classic" {
				s.build(on.build("one", "--reproducible")...).wait(exitUsage).says("cannot make reproducible images", "--engine managed")
				if tag := s.tags()["shop/a:one"]; tag != "" {
					t.Errorf("shop/a:one points to %s", tag)
				}
				return
			}
			s.build(on.build("one", "--reproducible")...).wait(exitDone).says(on.says)
			for _, component := range componentNames {
				checkTimes(t, component, s.pull("linux/amd64", "shop/"+component, "one"))
			}
		})
	}
}

// checkTimes wants no time after the epoch in the image.
func checkTimes(t *testing.T, component string, image v1.Image) {
	t.Helper()
	epoch := time.Unix(315532800, 0)
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if !config.Created.Equal(epoch) {
		t.Errorf("%s was created at %s", component, config.Created)
	}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers {
		checkLayerTimes(t, component, l, epoch)
	}
}

func checkLayerTimes(t *testing.T, component string, layer v1.Layer, epoch time.Time) {
	t.Helper()
	files, err := layer.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	for r := tar.NewReader(files); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.ModTime.After(epoch) {
			t.Errorf("%s: %s is of %s", component, h.Name, h.ModTime)
		}
	}
}
