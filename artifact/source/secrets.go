package source

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"slipway/internal/fault"
)

// Secret is a file that looks like a secret, and the reason.
type Secret struct{ Name, Reason string }

// SecretsError lists all files that look like secrets.
type SecretsError struct {
	Dir   string
	Files []Secret
}

func (e *SecretsError) Error() string {
	var names []string
	for _, f := range e.Files {
		names = append(names, fmt.Sprintf("%q (%s)", f.Name, f.Reason))
	}
	return fmt.Sprintf("%q contains files that look like secrets, nothing was sent: %s", e.Dir, strings.Join(names, ", "))
}

// Kind returns fault.Usage.
func (e *SecretsError) Kind() fault.Kind { return fault.Usage }

const (
	// secretReaders bounds the files that are open at once.
	secretReaders = 8
	// headSize is how much of a file is looked at for the beginning of a key.
	headSize = 512
	// wholeSize is how much is read of files that are judged by all they hold.
	wholeSize = 1 << 20
)

// searched is the result of a search for secrets.
type searched struct {
	mu       sync.Mutex
	secrets  []Secret
	problems []Problem       // files that cannot be read
	gone     map[string]bool // the names of files that vanished
}

// add adds the result for one entry: the reason why it looks like a secret, or "".
func (s *searched) add(name, reason string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.gone[name] = true
	case err != nil:
		s.problems = append(s.problems, Problem{name, fmt.Sprintf("it cannot be read: %v", cause(err))})
	case reason != "":
		s.secrets = append(s.secrets, Secret{name, reason})
	}
}

// findSecrets checks the name and the beginning of each file.
func findSecrets(ctx context.Context, tree fs.FS, entries []Entry) (*searched, error) {
	found := &searched{gone: map[string]bool{}}
	var g errgroup.Group
	g.SetLimit(secretReaders)
	for _, e := range entries {
		if e.Mode.IsDir() {
			continue
		}
		g.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			reason, err := secretIn(tree, e)
			found.add(e.Name, reason, err)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	slices.SortFunc(found.secrets, func(a, b Secret) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}

// named adds the files of named secrets to those that look like secrets.
func named(found []Secret, dir string, entries []Entry, files map[string]string) []Secret {
	for _, key := range slices.Sorted(maps.Keys(files)) {
		for _, name := range places(dir, files[key]) {
			isEntry := slices.ContainsFunc(entries, func(e Entry) bool { return e.Name == name && !e.Mode.IsDir() })
			if isEntry && !slices.ContainsFunc(found, func(s Secret) bool { return s.Name == name }) {
				found = append(found, Secret{name, "the file of secret " + key + " in the compose file"})
			}
		}
	}
	slices.SortFunc(found, func(a, b Secret) int { return strings.Compare(a.Name, b.Name) })
	return found
}

// places returns the names below a directory by which a file may be sent: its own, and
// that of the file to which links on its path lead.
func places(dir, path string) []string {
	var out []string
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		resolved = path // it is not there, and not sent
	}
	for _, p := range []string{path, resolved} {
		if name, err := filepath.Rel(dir, p); err == nil && filepath.IsLocal(name) && !slices.Contains(out, filepath.ToSlash(name)) {
			out = append(out, filepath.ToSlash(name))
		}
	}
	return out
}

// secretIn returns the reason why a file looks like a secret, or "". A link is
// judged by its own name: its target is not sent, or is an entry itself.
func secretIn(tree fs.FS, e Entry) (string, error) {
	byName := secretName(e.Name)
	if e.Mode.Type() != 0 {
		return byName, nil
	}
	limit := int64(headSize)
	base := strings.ToLower(path.Base(e.Name))
	if base == ".npmrc" || path.Ext(base) == ".pem" {
		limit = wholeSize
	}
	f, err := tree.Open(e.Name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return "", err
	}
	switch {
	case privateKey.Match(head):
		return "a private key", nil
	case base == ".npmrc" && npmToken.Match(head):
		return "an npm token", nil
	case path.Ext(base) == ".pem" && e.Size < limit && onlyPublic(head):
		return "", nil
	}
	return byName, nil
}

var (
	// privateKey is the first line of a key by RFC 7468, or of a key of OpenSSH or
	// OpenSSL, after a byte order mark or white space.
	privateKey = regexp.MustCompile(`^(\x{FEFF})?\s*-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----`)
	// npmToken is a credential of an .npmrc that does not come from a variable: the names
	// are those of "Auth related configuration" in npm's documentation.
	npmToken = regexp.MustCompile(`(?m)^[^#;\n]*(_authToken|_auth|_password)[ \t]*=[ \t]*["']?[^\s"'$]`)
)

// secretNames are patterns of files that usually hold a secret, in lower case.
var secretNames = []struct{ pattern, reason string }{
	{".env", "an environment file"},
	{".env.*", "an environment file"},
	{".secret-*", "a secret by its name"},
	{"*.pem", "a key by its name"},
	{"*.key", "a key by its name"},
	{"*.p12", "a key store"},
	{"*.pfx", "a key store"},
	{"*.ppk", "a key by its name"},
	{"id_rsa", "an SSH key"},
	{"id_dsa", "an SSH key"},
	{"id_ecdsa", "an SSH key"},
	{"id_ecdsa_sk", "an SSH key"},
	{"id_ed25519", "an SSH key"},
	{"id_ed25519_sk", "an SSH key"},
	{".netrc", "passwords"},
	{".git-credentials", "passwords"},
}

// samples are the endings of example environment files.
var samples = []string{".example", ".sample", ".template", ".dist"}

// secretName returns the reason why a file's name looks like that of a secret,
// or "".
func secretName(name string) string {
	name = strings.ToLower(name)
	base := path.Base(name)
	if base == "credentials" && path.Base(path.Dir(name)) == ".aws" {
		return "AWS credentials"
	}
	if strings.HasPrefix(base, ".env.") && slices.Contains(samples, path.Ext(base)) {
		return ""
	}
	for _, s := range secretNames {
		// The patterns are right: an error can only be of theirs.
		if ok, _ := path.Match(s.pattern, base); ok {
			return s.reason
		}
	}
	return ""
}

// onlyPublic reports whether a .pem contains only certificates and public keys, as
// the bundles of trusted authorities do.
func onlyPublic(data []byte) bool {
	blocks := 0
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			return blocks > 0 && !bytes.Contains(rest, []byte("-----BEGIN"))
		}
		switch block.Type {
		case "CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CRL", "PUBLIC KEY", "RSA PUBLIC KEY":
		default:
			return false
		}
		blocks, data = blocks+1, rest
	}
}
