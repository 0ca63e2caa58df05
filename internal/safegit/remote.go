package safegit

import (
	"context"
	"os"
	"slices"
	"strings"
)

// network are the variables that say how servers are reached and trusted.
var network = []string{
	"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "SSL_CERT_FILE", "SSL_CERT_DIR",
}

// LsRemote returns what `git ls-remote` prints of a reference of a repository at an
// http, https or git address. It reads no settings, asks for no password and sends
// none: a repository that needs one is an *Error. The other errors are those of
// [Repository.Run].
func LsRemote(ctx context.Context, remote, ref string) (string, error) {
	r, err := substitute(os.TempDir(), nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Close() }() // a temporary directory
	env := slices.DeleteFunc(slices.Clone(r.env), func(line string) bool { return strings.HasPrefix(line, "GIT_ALLOW_PROTOCOL=") })
	env = append(env, "GIT_ALLOW_PROTOCOL=http:https:git")
	for _, line := range os.Environ() {
		if name, _, _ := strings.Cut(line, "="); slices.Contains(network, strings.ToUpper(name)) {
			env = append(env, line)
		}
	}
	out, err := run(ctx, r.dir, env, nil, "ls-remote", "--quiet", "--exit-code", "--", remote, ref, ref+"^{}")
	return string(out), err
}
