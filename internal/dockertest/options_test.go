package dockertest_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"slipway/internal/dockertest"
	"slipway/internal/testkit"
)

// One engine of each kind with all options.
func TestOptions(t *testing.T) {
	host := testkit.StartMirror(t)
	each(t, func(t *testing.T, k dockertest.Kind) {
		e := dockertest.Start(t, k, dockertest.TLS(), dockertest.Mirror(host), dockertest.Insecure("registry.example:5000"))
		t.Run("tls", func(t *testing.T) { testTLS(t, e) })
		t.Run("insecure", func(t *testing.T) { testInsecure(t, e) })
		t.Run("mirror", func(t *testing.T) {
			out := solve(t, e, testkit.WriteTree(t, map[string]string{"Dockerfile": "FROM base:1\n"}))
			if got := testkit.ReadFile(t, filepath.Join(out, "from-the-mirror")); got != "yes" {
				t.Errorf("the base image holds %q, want yes", got)
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
