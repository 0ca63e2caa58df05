package solve

import (
	"context"
	"maps"

	"slipway/build/target"
)

// withLogins adds credentials to the caches of the compose file that name none. Those
// beyond the project's own were allowed, or there would be no build. An engine may have
// credentials of its own, so that a cache without any is asked for as it is.
func (r *run) withLogins(ctx context.Context, p platformBuild) target.Target {
	t := p.target
	t.CacheFrom, t.CacheTo = r.loggedIn(ctx, p, t.CacheFrom), r.loggedIn(ctx, p, t.CacheTo)
	return t
}

func (r *run) loggedIn(ctx context.Context, p platformBuild, caches []target.Cache) []target.Cache {
	if r.options.CacheLogin == nil {
		return caches
	}
	var out []target.Cache
	for _, c := range caches {
		if len(c.Secrets()) == 0 {
			c.Platform = p.Platform
			secrets, err := r.options.CacheLogin(ctx, c)
			if err == nil {
				c.Attrs = maps.Clone(c.Attrs)
				maps.Copy(c.Attrs, secrets)
			}
		}
		out = append(out, c)
	}
	return out
}
