package redact_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"slipway/internal/redact"
)

func TestPatterns(t *testing.T) {
	for in, want := range map[string]string{
		"https://u:SECRETPW@host/x.git#main":                                                                        "https://REDACTED@host/x.git#main",
		"load git source https://TOKEN@host/x.git: not found":                                                       "load git source https://REDACTED@host/x.git: not found",
		"two http://a:b@c/ and https://d:e@f:1/?x=1":                                                                "two http://REDACTED@c/ and https://REDACTED@f:1/?x=1",
		`parse "https://u:p@ss@host/": bad`:                                                                         `parse "https://REDACTED@host/": bad`,
		"postgres://app:hush@db/x git+ssh://u:p@h/r":                                                                "postgres://REDACTED@db/x git+ssh://REDACTED@h/r",
		"ssh://git@github.com/a/b.git git@github.com:a/b":                                                           "ssh://git@github.com/a/b.git git@github.com:a/b",
		"docker-image://alpine:3@sha256:abc":                                                                        "docker-image://alpine:3@sha256:abc",
		"oci-layout:///tmp/x@sha256:abc https://host/@scope/pkg":                                                    "oci-layout:///tmp/x@sha256:abc https://host/@scope/pkg",
		"ADD https://b.s3/x?X-Amz-Credential=AK%2F1&X-Amz-Date=2&X-Amz-Security-Token=Iq%3D&X-Amz-Signature=abc /x": "ADD https://b.s3/x?X-Amz-Credential=REDACTED&X-Amz-Date=2&X-Amz-Security-Token=REDACTED&X-Amz-Signature=REDACTED /x",
		"https://a.blob/c?sv=1&sig=x%2F&se=2":                                                                       "https://a.blob/c?sv=1&sig=REDACTED&se=2",
		"https://h/p?access_token=abc#f https://h/?private_token=z9":                                                "https://h/p?access_token=REDACTED https://h/?private_token=REDACTED",
		"https://b/x?AWSAccessKeyId=AK&Signature=s%3D&Expires=1":                                                    "https://b/x?AWSAccessKeyId=REDACTED&Signature=REDACTED&Expires=1",
		`"type=s3,bucket=b,secret_access_key=SECRETKEY,broken"`:                                                     `"type=s3,bucket=b,secret_access_key=REDACTED,broken"`,
		"type=gha,url_v2=https://x/,runtime_token=ey.J,scope=a":                                                     "type=gha,url_v2=https://x/,runtime_token=REDACTED,scope=a",
		"RUN NPM_TOKEN=abc DB_PASSWORD='x' npm ci --token=$NPM_TOKEN --password=${PW}":                              "RUN NPM_TOKEN=REDACTED DB_PASSWORD='x' npm ci --token=$NPM_TOKEN --password=${PW}",
		"Authorization: Basic QVdTOnRva2Vu":                                                                         "Authorization: Basic REDACTED",
		`authorization="Bearer abcdefgh"`:                                                                           `authorization="Bearer REDACTED"`,
		"--mount=type=secret,id=npm_token RUN x":                                                                    "--mount=type=secret,id=npm_token RUN x",
		"services.web.build.secrets.npm_token: no such file":                                                        "services.web.build.secrets.npm_token: no such file",
		"AWS_SHARED_CREDENTIALS_FILE=/root/.aws PWD=/work key=v a==":                                                "AWS_SHARED_CREDENTIALS_FILE=/root/.aws PWD=/work key=v a==",
		"token= password=REDACTED":                                                                                  "token= password=REDACTED",
		"= :// =://@":                                                                                               "= :// =://@",
	} {
		got := redact.Patterns(in)
		if got != want {
			t.Errorf("Patterns(%q)\n got %q\nwant %q", in, got, want)
		}
		if again := redact.Patterns(got); again != got {
			t.Errorf("Patterns(%q) = %q, want no change", got, again)
		}
	}
}

// TestKnownValues: a value is replaced however a log shows it.
func TestKnownValues(t *testing.T) {
	const secret = `hush"+/ é%&value`
	var r redact.Redactor
	r.Add(secret+"\n", "short")
	r.AddLogin("AWS", "registry-token-1")
	b64 := base64.StdEncoding.EncodeToString
	for name, text := range map[string]string{
		"itself":      secret,
		"in a query":  url.QueryEscape(secret),
		"in a path":   url.PathEscape(secret),
		"quoted":      fmt.Sprintf("%q", secret),
		"base64":      b64([]byte(secret)),
		"with a line": b64([]byte(secret + "\n")),
		"one before":  b64([]byte("u:" + secret)),
		"two before":  b64([]byte("us:" + secret)),
		"more":        b64([]byte("user:" + secret)),
		"basic":       b64([]byte("AWS:registry-token-1")),
		"token":       "registry-token-1",
	} {
		got := r.Text("before " + text + " after")
		if !strings.Contains(got, redact.Mark) || strings.Contains(got, secret[:5]) || strings.Contains(got, "registry") {
			t.Errorf("%s: %q became %q", name, text, got)
		}
		// The rest of a base64 text is the user's name and less than a group at the end.
		if left := len(got) - len("before REDACTED after"); left > 12 {
			t.Errorf("%s: %q became %q", name, text, got)
		}
	}
	if got := r.Text("short"); got != "short" {
		t.Errorf("a word became %q", got)
	}
}

// TestKnownFile: a file is a secret as a whole, each line, and each value by its name.
func TestKnownFile(t *testing.T) {
	var r redact.Redactor
	r.Add("registry=https://npm.example\n//npm.example/:_authToken=npm_abcdef\n[default]\r\naws_secret_access_key = wJalrX\n  \"password\": \"pass-word\",\n")
	for in, want := range map[string]string{
		"token npm_abcdef.":                     "token REDACTED.",
		"//npm.example/:_authToken=npm_abcdef":  "REDACTED",
		"got wJalrX and pass-word":              "got REDACTED and REDACTED",
		"from https://npm.example, by default":  "from https://npm.example, by default",
		"registry=https://npm.example [default": "REDACTED [default",
	} {
		if got := r.Text(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestEnviron(t *testing.T) {
	var r redact.Redactor
	r.AddEnviron([]string{"AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "NPM_TOKEN=sandbox", "HOME=/root/a/long/directory", "AWS_SHARED_CREDENTIALS_FILE=/root/.aws/credentials", "broken"})
	const text = "wJalrXUtnFEMI/K7MDENG sandbox /root/a/long/directory /root/.aws/credentials"
	if got, want := r.Text(text), strings.Replace(text, "wJalrXUtnFEMI/K7MDENG", redact.Mark, 1); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNilRedactor(t *testing.T) {
	var r *redact.Redactor
	r.Add("something")
	r.AddLogin("user", "something")
	if got := r.Text("something https://t@h/"); got != "something https://REDACTED@h/" {
		t.Errorf("got %q, want something https://REDACTED@h/", got)
	}
	if redact.FromContext(t.Context()) != nil {
		t.Error("a context without a redactor has one")
	}
	if r := new(redact.Redactor); redact.FromContext(redact.WithContext(t.Context(), r)) != r {
		t.Error("a context does not carry its redactor")
	}
}

func FuzzRedactor(f *testing.F) {
	for _, s := range []string{"plain", "https://u:p@h/?sig=1", "a=b,token=c", "Authorization: Basic abcdefgh", "SECRET-1", "%3Dtoken=x"} {
		f.Add("secret-1", s)
	}
	f.Fuzz(func(t *testing.T, secret, text string) {
		var r redact.Redactor
		r.Add(secret)
		secret = strings.TrimSpace(secret)
		out := r.Text(text + secret + text)
		// The mark itself, or what it makes with its neighbours, may hold the value again.
		if len(secret) >= redact.Shortest && strings.Contains(out, secret) && !strings.Contains(out, redact.Mark) {
			t.Errorf("%q is in %q", secret, out)
		}
		if p := redact.Patterns(text); redact.Patterns(p) != p {
			t.Errorf("Patterns(%q) = %q, and of that %q", text, p, redact.Patterns(p))
		}
	})
}

// BenchmarkText uses lines as RUN steps print them: without secrets, one in fifty
// with a URL.
func BenchmarkText(b *testing.B) {
	var r redact.Redactor
	r.AddLogin("AWS", strings.Repeat("eyJwYXlsb2FkIjoi", 100))
	r.Add("npm_0123456789abcdefghijklmnop", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
	var lines []string
	size := 0
	for i := range 50 {
		line := fmt.Sprintf("npm http fetch GET 200 package-%d attempt #1 in 12ms (cache miss), x-y_z 0123456789abcdef", i)
		if i == 0 {
			line += " https://registry.npmjs.org/a?b=c"
		}
		lines, size = append(lines, line), size+len(line)
	}
	b.SetBytes(int64(size))
	for b.Loop() {
		for _, line := range lines {
			_ = r.Text(line)
		}
	}
}
