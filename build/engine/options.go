package engine

import (
	"cmp"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/connhelper"

	// The addresses that BuildKit reaches through another program: docker exec, kubectl
	// exec and ssh.
	_ "github.com/moby/buildkit/client/connhelper/dockercontainer"
	_ "github.com/moby/buildkit/client/connhelper/kubepod"
	_ "github.com/moby/buildkit/client/connhelper/ssh"
)

// Options say where an engine may be.
type Options struct {
	// Address is the engine that was asked for: an address, the word of a kind,
	// a pool of addresses (ADDRESS|ADDRESS), or a list of PLATFORM=ADDRESS or
	// PLATFORM=POOL; empty means search.
	Address string
	// AddressFrom names where Address was given, for messages.
	AddressFrom string
	// TLSFrom and NetworkFrom name where TLS and Network were given, for messages.
	TLSFrom, NetworkFrom string
	// TLS is a directory with ca.pem, cert.pem and key.pem for tcp:// addresses.
	TLS string
	// StateDir keeps the managed engine's cache between runs.
	StateDir string
	// Binary is the buildkitd of a managed engine; empty means next to this program, then PATH.
	Binary string
	// Network is the network of RUN steps on a managed engine; empty is
	// NetworkAuto.
	Network Network
	// Requirements are the capabilities that the build needs.
	Requirements Requirements
	// LookupEnv reads the environment, in which Docker's variables say where its engine
	// is; nil means that there are none.
	LookupEnv func(string) (string, bool)
	// DockerStarts reports that a Docker engine may still be starting, as in
	// CodeBuild, so that Slipway waits for it where there is no other engine.
	DockerStarts bool
	// Waiting, if set, is called with the name of the engine that Slipway waits
	// for.
	Waiting func(what string)
	// Silent, if set, is called with each engine of a pool that does not answer, if
	// another one does, one after the other before Find returns.
	Silent func(*SilentError)
}

func (o Options) getenv(name string) string {
	if o.LookupEnv == nil {
		return ""
	}
	v, _ := o.LookupEnv(name)
	return v
}

func (o Options) waiting(what string) {
	if o.Waiting != nil {
		o.Waiting(what)
	}
}

func (o Options) silent(err *SilentError) {
	if o.Silent != nil {
		o.Silent(err)
	}
}

const addressRemedy = "write docker, buildkitd or managed, an address (unix:///run/buildkit/buildkitd.sock, tcp://host:port, docker-container://name, kube-pod://name, ssh://user@host), a pool of addresses (tcp://a:1234|tcp://b:1234), or a list of PLATFORM=ADDRESS"

// Check returns an error if an address is not valid. It makes no requests. The
// error is an *AddressError.
func (o Options) Check() error {
	several, err := o.split()
	if err != nil {
		return err
	}
	for _, one := range several {
		if err := one.checkAddress(); err != nil {
			return err
		}
	}
	if err := o.checkNetwork(); err != nil {
		return err
	}
	return o.checkTLS()
}

// Several reports whether engines are named by platform.
func (o Options) Several() bool {
	before, _, _ := strings.Cut(o.Address, "://")
	return strings.Contains(before, "=")
}

// Platforms are those that Address names engines for.
func (o Options) Platforms() []string {
	several, err := o.split()
	if err != nil || !o.Several() {
		return nil
	}
	var out []string
	for _, one := range several {
		out = append(out, one.platform)
	}
	return slices.Compact(out) // those of a pool stand together
}

// MayBeManaged reports whether a managed engine may be started.
func (o Options) MayBeManaged() bool {
	places, err := o.split()
	return err == nil && slices.ContainsFunc(places, func(p candidate) bool { return p.Address == "" || p.Address == string(Managed) })
}

// CheckState makes sure that the state directory can be written where a managed
// engine is named, and creates it. The result of a search is not known before it.
func (o Options) CheckState() error {
	places, err := o.split()
	if err != nil || !slices.ContainsFunc(places, func(p candidate) bool { return p.Address == string(Managed) }) {
		return err
	}
	return checkState(o)
}

// candidate is one address, with the platform it is for.
type candidate struct {
	Options
	platform string
	// pooled reports that the address is one of a pool.
	pooled bool
}

// split takes a list of PLATFORM=ADDRESS and its pools apart.
func (o Options) split() ([]candidate, error) {
	if !o.Several() {
		return candidate{Options: o}.members()
	}
	var out []candidate
	seen := map[string]bool{}
	for part := range strings.SplitSeq(o.Address, ",") {
		name, address, _ := strings.Cut(part, "=")
		p, err := platforms.Parse(strings.TrimSpace(name))
		if err != nil {
			return nil, badAddress(o.AddressFrom, "write linux/amd64=ADDRESS,linux/arm64=ADDRESS", "%q names no platform: %v", shown(part), err)
		}
		one := candidate{Options: o, platform: platforms.Format(platforms.Normalize(p))}
		one.Address = strings.TrimSpace(address)
		if one.Address == "" {
			return nil, badAddress(o.AddressFrom, "write "+one.platform+"=ADDRESS", "%s has no address", one.platform)
		}
		if seen[one.platform] {
			return nil, badAddress(o.AddressFrom, "name one engine for each platform, or a pool of them: "+one.platform+"=ADDRESS|ADDRESS", "%s is named twice", one.platform)
		}
		seen[one.platform] = true
		members, err := one.members()
		if err != nil {
			return nil, err
		}
		out = append(out, members...)
	}
	return out, nil
}

// resolveAlias returns the word of an engine's kind for its earlier word.
func resolveAlias(address string) string {
	if address == managedAlias {
		return string(Managed)
	}
	return address
}

// kind is the word that Address is, if it is one.
func (o Options) kind() (Kind, bool) {
	switch k := Kind(o.Address); k {
	case Buildkitd, Docker, Managed:
		return k, true
	default:
		return "", false
	}
}

var password = regexp.MustCompile(`(://[^/:@]*):[^/@]*@`)

// shown is an address without a password that somebody put there.
func shown(address string) string { return password.ReplaceAllString(address, "$1:REDACTED@") }

// schemes are those that are reached without another program.
var schemes = []string{"unix", "tcp", "npipe"}

func (o Options) checkAddress() error {
	if _, ok := o.kind(); ok || o.Address == "" {
		return nil
	}
	u, err := url.Parse(o.Address)
	if err != nil || !strings.Contains(o.Address, "://") {
		return badAddress(o.AddressFrom, addressRemedy, "%q is not an engine address", shown(o.Address))
	}
	for _, s := range schemes {
		if u.Scheme == s {
			if u.Host == "" && u.Path == "" {
				return badAddress(o.AddressFrom, addressRemedy, "%q names no place", shown(o.Address))
			}
			if u.Scheme == "tcp" && u.Port() == "" {
				return badAddress(o.AddressFrom, "write tcp://host:port; 1234 is usual for buildkitd", "%q names no port", shown(o.Address))
			}
			return nil
		}
	}
	helper, err := connhelper.GetConnectionHelper(o.Address)
	if err != nil {
		return badAddress(o.AddressFrom, addressRemedy, "%q: %v", shown(o.Address), err)
	}
	if helper == nil {
		return badAddress(o.AddressFrom, addressRemedy, "%q: an engine is not reached by %s://", shown(o.Address), u.Scheme)
	}
	return nil
}

// tlsFiles are the files in the directory of TLS, as those of docker and
// buildctl.
var tlsFiles = []string{"ca.pem", "cert.pem", "key.pem"}

func (o Options) checkTLS() error {
	if o.TLS == "" {
		return nil
	}
	places, err := o.split()
	if err == nil && !slices.ContainsFunc(places, func(p candidate) bool { return strings.HasPrefix(p.Address, "tcp://") }) {
		return badAddress(cmp.Or(o.TLSFrom, "certificates"), "leave it out: a Docker engine's certificates are named by DOCKER_CERT_PATH", "no engine at tcp:// is named that it could be for")
	}
	for _, f := range tlsFiles {
		if _, err := os.Stat(filepath.Join(o.TLS, f)); err != nil {
			return badAddress(cmp.Or(o.TLSFrom, "certificates"), "name a directory with ca.pem, cert.pem and key.pem", "%v", err)
		}
	}
	return nil
}
