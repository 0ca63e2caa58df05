package solve

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/docker/cli/cli/config/types"
	"github.com/moby/buildkit/session/auth"
)

// ecrUser is the user of every ECR token (GetAuthorizationToken in the ECR API reference).
const ecrUser = "AWS"

// checkRealm refuses the address of a token server that a registry's Bearer challenge
// names, where the registry's login must not go there. ECR asks for the token itself, by
// a Basic challenge, so its token goes to no host but the registry's own. Other registries
// have token servers elsewhere, as Docker Hub has; a login goes there over TLS only, and
// nothing is ever fetched from a link-local address, where clouds keep credentials.
func checkRealm(login types.AuthConfig, host, realm string) error {
	u, err := url.Parse(realm)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("the registry %s names a token server by something other than an http(s) address", host)
	}
	secret := login != (types.AuthConfig{})
	switch {
	case strings.EqualFold(u.Host, host):
		return nil
	case secret && login.Username == ecrUser:
		return fmt.Errorf("the registry %s sends its login to another host, %s: ECR tokens are not sent there", host, u.Host)
	case linkLocal(u.Hostname()):
		return fmt.Errorf("the registry %s names a token server at a link-local address, %s", host, u.Host)
	case secret && u.Scheme != "https" && !(loopback(host) && loopback(u.Host)):
		return fmt.Errorf("the registry %s sends its login to %s in clear text", host, u.Host)
	default:
		return nil
	}
}

func linkLocal(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && (ip.IsLinkLocalUnicast() || ip.IsLinkLocalMulticast() || ip.IsUnspecified())
}

// loopback reports whether host, which may carry a port, is this machine.
func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// FetchToken asks a token server on the engine's behalf, unless the login must not go there.
func (s seedless) FetchToken(ctx context.Context, req *auth.FetchTokenRequest) (*auth.FetchTokenResponse, error) {
	login, err := s.login(ctx, req.Host)
	if err != nil {
		return nil, err
	}
	if err := checkRealm(login, req.Host, req.Realm); err != nil {
		return nil, err
	}
	return s.AuthServer.FetchToken(ctx, req)
}

// bound is the transport of requests that slipway itself makes to the registry at host: it
// carries no login to a token server where it must not go.
type bound struct {
	inner http.RoundTripper
	host  string
	login types.AuthConfig
}

// RoundTrip refuses a request that would carry the login to another host: as a Basic
// login, or in the form of an OAuth request.
func (b bound) RoundTrip(r *http.Request) (*http.Response, error) {
	form := r.Header.Get("Content-Type") == "application/x-www-form-urlencoded"
	if form || strings.HasPrefix(r.Header.Get("Authorization"), "Basic ") {
		if err := checkRealm(b.login, b.host, r.URL.String()); err != nil {
			return nil, err
		}
	}
	return b.inner.RoundTrip(r)
}
