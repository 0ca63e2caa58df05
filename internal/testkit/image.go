package testkit

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// StartMirror starts a registry that stands in for Docker Hub and returns its
// host:port. Its only image, base:1, has the file from-the-mirror, which holds
// yes.
func StartMirror(t testing.TB) string {
	t.Helper()
	host := StartRegistry(t)
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH})
	if err != nil {
		t.Fatal(err)
	}
	push(t, host+"/library/base:1", image, tarOf(t, "from-the-mirror", "yes", 0o644))
	return host
}

// PushFrontend pushes an image with BuildKit's Dockerfile frontend, as a "# syntax"
// line names one. Different labels make different images.
func PushFrontend(t testing.TB, tag, label string) {
	t.Helper()
	program, err := DockerfileFrontend()
	if err != nil {
		t.Fatal(err)
	}
	config := v1.Config{Entrypoint: []string{"/frontend"}, Labels: map[string]string{"label": label}}
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH, Config: config})
	if err != nil {
		t.Fatal(err)
	}
	push(t, tag, image, tarOf(t, "frontend", program, 0o755))
}

// AppImage returns an image whose program /app is testdata/app. It has the user
// app, whose number is 1234, and the groups app and extra, 99 and 77.
func AppImage(t testing.TB, config v1.Config) v1.Image {
	t.Helper()
	program, err := App()
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH, Config: config})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct{ name, text string }{
		{"app", program}, {"etc/passwd", "app:x:1234:99::/home:/app\n"}, {"etc/group", "app:x:99:\nextra:x:77:app\n"},
	} {
		layer := static.NewLayer(tarOf(t, f.name, f.text, 0o755), types.DockerUncompressedLayer)
		if image, err = mutate.AppendLayers(image, layer); err != nil {
			t.Fatal(err)
		}
	}
	return image
}

// push adds a layer to an image and points a tag to it.
func push(t testing.TB, tag string, image v1.Image, layer []byte) {
	t.Helper()
	image, err := mutate.AppendLayers(image, static.NewLayer(layer, types.DockerUncompressedLayer))
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(tag)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
}

func tarOf(t testing.TB, file, text string, mode int64) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := w.WriteHeader(&tar.Header{Name: file, Mode: mode, Size: int64(len(text))})
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// step writes "ran" to the file that it is given. With the argument wait, it
// prints "waiting" and waits for an hour.
const step = `package main

import (
	"os"
	"time"
)

func main() {
	if os.Args[1] == "wait" {
		os.Stdout.WriteString("waiting\n")
		time.Sleep(time.Hour)
	}
	if err := os.WriteFile(os.Args[1], []byte("ran"), 0o644); err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
}
`

// StepContext returns a directory with a Dockerfile that has one RUN step, with
// the given command. The image has the program /step: with the path of a file
// it writes "ran" to it; with wait it prints "waiting" and waits for an hour.
func StepContext(t testing.TB, command ...string) string {
	t.Helper()
	run, err := json.Marshal(command)
	if err != nil {
		t.Fatal(err)
	}
	dir := WriteTree(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY step /step\nRUN " + string(run) + "\n"})
	Compile(t, step, filepath.Join(dir, "step"))
	return dir
}
