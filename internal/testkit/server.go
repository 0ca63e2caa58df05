package testkit

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"slipway/internal/daemontest"
)

// StartRegistry starts an empty registry that is closed when the test ends, and
// returns its host:port. Each of wrap stands in front of it.
func StartRegistry(t testing.TB, wrap ...func(http.Handler) http.Handler) string {
	t.Helper()
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	for _, w := range wrap {
		handler = w(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// Accept passes each connection of l to handle, in a goroutine of its own,
// until l is closed.
func Accept(l net.Listener, handle func(net.Conn)) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go handle(conn)
	}
}

// ServerCertificate returns a certificate for names and 127.0.0.1, and the file
// of its authority.
func ServerCertificate(t testing.TB, names ...string) (tls.Certificate, string) {
	t.Helper()
	dir := t.TempDir()
	client, server := filepath.Join(dir, "client"), filepath.Join(dir, "server")
	if err := daemontest.WriteCerts(client, server, names...); err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.LoadX509KeyPair(filepath.Join(server, daemontest.CertFile), filepath.Join(server, daemontest.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	return certificate, filepath.Join(server, daemontest.CAFile)
}

// AuthorityFile writes the certificate of a TLS server to a file, for clients
// that trust it, and returns the path.
func AuthorityFile(t testing.TB, server *httptest.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(path, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
