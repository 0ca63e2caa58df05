package dockertest_test

import (
	"archive/tar"
	"bytes"
	"io"
	"log"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/moby/moby/client"

	"slipway/internal/dockertest"
)

// One engine of each kind with all options.
func TestOptions(t *testing.T) {
	host := hub(t)
	each(t, func(t *testing.T, k dockertest.Kind) {
		e := dockertest.Start(t, k, dockertest.TLS(), dockertest.Mirror(host), dockertest.Insecure("registry.example:5000"))
		t.Run("tls", func(t *testing.T) { testTLS(t, e) })
		t.Run("insecure", func(t *testing.T) { testInsecure(t, e) })
		t.Run("mirror", func(t *testing.T) {
			out := solve(t, e, project(t, map[string]string{"Dockerfile": "FROM base:1\n"}))
			if got := content(t, filepath.Join(out, "from-the-mirror")); got != "yes" {
				t.Errorf("the base image holds %q", got)
			}
		})
	})
}

func testTLS(t *testing.T, e *dockertest.Engine) {
	if _, err := e.DockerTLS(t).Ping(t.Context(), client.PingOptions{}); err != nil {
		t.Errorf("with certificates: %v", err)
	}
	for what, opt := range map[string]client.Opt{
		"without TLS":           client.WithScheme("http"),
		"without a certificate": client.WithTLSClientConfig(filepath.Join(e.CertDir, "ca.pem"), "", ""),
	} {
		c, err := client.New(client.WithHost(e.TLSHost), opt)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Ping(t.Context(), client.PingOptions{}); err == nil {
			t.Errorf("%s it answers too", what)
		}
		c.Close()
	}
}

func testInsecure(t *testing.T, e *dockertest.Engine) {
	info, err := e.Docker(t).Info(t.Context(), client.InfoOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if c := info.Info.RegistryConfig.IndexConfigs["registry.example:5000"]; c == nil || c.Secure {
		t.Errorf("of the registry it knows %+v", c)
	}
	local := func(net string) bool { return strings.HasPrefix(net, "127.") }
	var nets []string
	for _, n := range info.Info.RegistryConfig.InsecureRegistryCIDRs {
		nets = append(nets, n.String())
	}
	if !slices.ContainsFunc(nets, local) {
		t.Errorf("loopback is not insecure by default: %v", nets)
	}
}

// hub is a registry that has library/base:1, an image of one file.
func hub(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	config := &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH}
	image, err := mutate.ConfigFile(empty.Image, config)
	if err != nil {
		t.Fatal(err)
	}
	image, err = mutate.AppendLayers(image, static.NewLayer(tarOf(t, "from-the-mirror", "yes"), types.DockerUncompressedLayer))
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(host + "/library/base:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
	return host
}

func tarOf(t *testing.T, file, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := w.WriteHeader(&tar.Header{Name: file, Mode: 0o644, Size: int64(len(text))})
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
