package build

import (
	"context"
	"net/url"
	"strings"

	"github.com/docker/cli/cli/config/types"

	"slipway/build/solve"
	"slipway/build/target"
	"slipway/internal/redact"
)

// LearnSecrets makes the credentials known that the plan's targets hold, so that no line shows
// them: an engine, a registry or a RUN step may print each.
func LearnSecrets(secrets *redact.Redactor, targets []target.Target) {
	for _, t := range targets {
		for name, value := range t.Args {
			if redact.Credential(name) {
				secrets.Add(value)
			}
		}
		for _, s := range t.Secrets {
			secrets.Add(s.Value)
		}
		for _, c := range append(append([]target.Cache{}, t.CacheFrom...), t.CacheTo...) {
			secrets.Add(c.Secrets()...)
		}
		secrets.Add(urlSecrets(t.Context.Remote)...)
		for _, c := range t.Contexts {
			secrets.Add(urlSecrets(c.Remote)...)
		}
	}
}

// urlSecrets are the password or token of a URL and the credentials in its query.
func urlSecrets(address string) []string {
	u, err := url.Parse(address)
	if err != nil {
		return nil
	}
	var out []string
	password, has := u.User.Password()
	switch {
	case has:
		out = append(out, password)
	case u.User != nil && strings.HasPrefix(u.Scheme, "http"):
		out = append(out, u.User.Username())
	}
	for name, values := range u.Query() {
		if redact.Credential(name) {
			out = append(out, values...)
		}
	}
	return out
}

// KnownLogins makes the credentials known that a login returns.
func KnownLogins(secrets *redact.Redactor, login solve.AuthFunc) solve.AuthFunc {
	return func(ctx context.Context, host string) (types.AuthConfig, error) {
		c, err := login(ctx, host)
		secrets.AddLogin(c.Username, c.Password)
		secrets.Add(c.IdentityToken, c.RegistryToken)
		return c, err
	}
}
