package build

import (
	"context"
	"slices"

	"slipway/build/engine"
	"slipway/build/target"
)

// cacheLogin gives the engines the credentials for caches: AWS's for S3, and the runner's
// token for those of GitHub Actions. An engine whose connection is
// not encrypted gets none.
func (j *job) cacheLogin(engines []*engine.Engine) func(context.Context, target.Cache) (map[string]string, error) {
	onS3 := cacheLogin(j.cloud.Config.Credentials, engines)
	return func(ctx context.Context, c target.Cache) (map[string]string, error) {
		attrs := target.GitHubCacheLogin(c, j.LookupEnv)
		if attrs == nil {
			return onS3(ctx, c)
		}
		if slices.ContainsFunc(engines, func(e *engine.Engine) bool { return e.Platform == c.Platform && e.ClearText }) {
			return nil, nil
		}
		j.Secrets.Add(attrs["token"])
		return attrs, nil
	}
}

// warnOfCaches names the caches of the compose file that get no credentials, because
// others could read them on the way to the engine.
func (j *job) warnOfCaches(engines []*engine.Engine) {
	i := slices.IndexFunc(engines, func(e *engine.Engine) bool { return e.ClearText })
	if i < 0 {
		return
	}
	for _, t := range j.plan.Targets() {
		for _, c := range slices.Concat(t.CacheFrom, t.CacheTo) {
			if (c.Type == "s3" || c.Type == "gha") && len(c.Secrets()) == 0 {
				j.Warnf("%s: the cache of type=%s gets no credentials: the connection to the engine at %s is not encrypted", t.Service, c.Type, engines[i].Address)
			}
		}
	}
}
