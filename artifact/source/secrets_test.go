package source

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"path"
	"strings"
	"testing"
	"testing/fstest"
)

func TestSecretName(t *testing.T) {
	for name, secret := range map[string]bool{
		".env": true, "api/.env": true, ".env.local": true, ".env.production": true, ".ENV": true, ".env.example.local": true,
		".env.example": false, ".env.local.example": false, ".env.sample": false, "env": false, ".environment": false, "x.env": false, ".envrc": false,
		".secret-db": true, "deep/er/.secret-x": true, "secret-x": false, ".secret": false,
		"tls.pem": true, "server.key": true, "Server.KEY": true, "key": false, "monkey": false, "store.p12": true, "x.pfx": true, "x.ppk": true,
		"id_rsa": true, ".ssh/id_ed25519": true, "id_ecdsa_sk": true, "id_dsa": true, "id_rsa.pub": false,
		".aws/credentials": true, "home/.aws/credentials": true, "aws/credentials": false, ".aws/config": false, "credentials": false,
		".netrc": true, ".git-credentials": true, ".npmrc": false, "main.go": false,
	} {
		if got := secretName(name) != ""; got != secret {
			t.Errorf("secretName(%q) = %q, want a secret: %v", name, secretName(name), secret)
		}
	}
}

func certificate(t *testing.T) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(nil)
	must(t, err)
	der, err := x509.MarshalPKIXPublicKey(public)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestSecretContent(t *testing.T) {
	cert := certificate(t)
	key := "-----BEGIN " + "PRIVATE KEY-----\nMAA=\n-----END " + "PRIVATE KEY-----\n"
	for _, c := range []struct {
		name, content string
		reason        string
	}{
		{"notes", key, "a private key"},
		{"notes", "\xef\xbb\xbf\n" + key, "a private key"},
		{"notes", strings.ReplaceAll(key, "PRIVATE", "RSA PRIVATE"), "a private key"},
		{"notes", strings.ReplaceAll(key, "PRIVATE", "OPENSSH PRIVATE"), "a private key"},
		{"notes", "-----BEGIN PGP " + "PRIVATE KEY BLOCK-----\n", "a private key"},
		{"notes", "see " + key, ""},
		{"notes", strings.ReplaceAll(key, "PRIVATE", "PUBLIC"), ""},
		{"empty", "", ""},
		{"ca.pem", cert, ""},
		{"ca.pem", "# Our bundle\n" + cert + cert, ""},
		{"ca.pem", cert + key, "a key by its name"},
		{"ca.pem", cert + "-----BEGIN " + "PRIVATE KEY-----\nbroken", "a key by its name"},
		{"ca.pem", "nothing of the kind", "a key by its name"},
		{"ca.pem", "", "a key by its name"},
		{"ca.pem", cert + strings.Repeat("\n", wholeSize), "a key by its name"},
		{".npmrc", "registry=https://registry.example.com/\n", ""},
		{".npmrc", "//registry.example.com/:_authToken=npm_123\n", "an npm token"},
		{".npmrc", "a=b\n_auth = \"abc\"\n", "an npm token"},
		{".npmrc", "//registry.example.com/:_authToken=${NPM_TOKEN}\n", ""},
		{".npmrc", "# _authToken=npm_123\n;_password=x\n", ""},
		{".npmrc", "_authToken=\nx=1\n", ""},
		{"npmrc", "_authToken=npm_123\n", ""},
	} {
		tree := fstest.MapFS{c.name: {Data: []byte(c.content)}}
		s, err := readTree(t.Context(), "/project", tree, Options{})
		var secrets *SecretsError
		switch {
		case c.reason == "" && err != nil:
			t.Errorf("%s with %.60q: got error %v, want none", c.name, c.content, err)
		case c.reason != "" && (!errors.As(err, &secrets) || secrets.Files[0] != Secret{c.name, c.reason}):
			t.Errorf("%s %.60q: got %v, %v; want %s", c.name, c.content, s, err, c.reason)
		}
	}
}

// TestSecretsAllNamed also holds that what is ignored is not looked at, and that a link
// is judged by its name.
func TestSecretsAllNamed(t *testing.T) {
	dir := plant(t, map[string]string{
		"b/.env": "", "a.key": "", "c/.secret-x": "", "plain": "x", "gone/id_rsa": "", "link.pem": "-> plain", ".dockerignore": "gone\n",
	})
	_, err := Read(t.Context(), Options{Dir: dir, RespectIgnore: true})
	var secrets *SecretsError
	if !errors.As(err, &secrets) {
		t.Fatalf("got %v, want a SecretsError", err)
	}
	var got []string
	for _, f := range secrets.Files {
		got = append(got, f.Name)
		if !strings.Contains(err.Error(), f.Name) {
			t.Errorf("%q is not in %v", f.Name, err)
		}
	}
	if strings.Join(got, " ") != "a.key b/.env c/.secret-x link.pem" {
		t.Errorf("got %q, want a.key, b/.env, c/.secret-x and link.pem", got)
	}
	s, err := Read(t.Context(), Options{Dir: dir, AllowSecrets: true})
	if err != nil || len(s.Secrets) != 5 {
		t.Errorf("got %v, %v, want a source with 5 secrets", s, err)
	}
}

// FuzzSecretName holds that a secret stays one wherever it lies and however it is
// written.
func FuzzSecretName(f *testing.F) {
	for _, seed := range []string{".env", "a/.aws/credentials", ".env.example", "x.pem", "[", `a\`, "\xff", "İ.KEY"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		name = path.Clean("/" + name)[1:]
		if name == "" {
			return
		}
		got := secretName(name)
		if deeper := secretName("deep/er/" + name); deeper != got {
			t.Errorf("%q: %q, deeper %q", name, got, deeper)
		}
		upper, lower := strings.ToUpper(name), strings.ToLower(name)
		if again := strings.ToLower(upper); again == lower && secretName(upper) != got {
			t.Errorf("%q: %q, upper %q", name, got, secretName(upper))
		}
		if exact := path.Base(name) == ".env" || strings.HasPrefix(path.Base(name), ".secret-"); exact && got == "" {
			t.Errorf("%q passes", name)
		}
	})
}

// FuzzSecretContent holds that a key at the beginning is found whatever follows, and
// that no content upsets the looking.
func FuzzSecretContent(f *testing.F) {
	f.Add([]byte("_auth=x"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN"))
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, base := range []string{".npmrc", "ca.pem", "x"} {
			e := Entry{Name: base, Size: int64(len(content))}
			if _, err := secretIn(fstest.MapFS{base: {Data: content}}, e); err != nil {
				t.Fatal(err)
			}
			key := append([]byte("-----BEGIN EC "+"PRIVATE KEY-----\n"), content...)
			e.Size = int64(len(key))
			if got, err := secretIn(fstest.MapFS{base: {Data: key}}, e); err != nil || got != "a private key" {
				t.Errorf("secretIn(%s) = %q, %v, want a private key", base, got, err)
			}
		}
	})
}
