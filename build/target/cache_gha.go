package target

import (
	"cmp"
	"maps"
	"strconv"
)

// cacheGHA is the cache service of GitHub Actions (cache/remotecache/gha in BuildKit).
const cacheGHA = "gha"

// gitHubToken is the variable in which a runner of GitHub Actions has the token.
const gitHubToken = "ACTIONS_RUNTIME_TOKEN"

// usable reports whether a cache can be used here. One of GitHub Actions without a token is
// left out with a warning: the compose file is meant for its runners, too.
func (t *translator) usable(key string, c Cache) bool {
	if c.Type != cacheGHA || c.Attrs["token"] != "" {
		return true
	}
	if c.Attrs["url"] != "" || c.Attrs["url_v2"] != "" {
		t.warn("%s: type=gha is left out: it names a url and no token, and the runner's token is not sent to other addresses", t.field(key))
		return false
	}
	if t.getenv(gitHubToken) == "" {
		t.warn("%s: type=gha is left out: %s is not set, as it is on GitHub's runners alone", t.field(key), gitHubToken)
		return false
	}
	return true
}

func (t *translator) getenv(name string) string {
	if t.lookupEnv == nil {
		return ""
	}
	value, _ := t.lookupEnv(name)
	return value
}

// GitHubCacheLogin returns the attributes of a cache of GitHub Actions that its runners have
// in their environment, as buildctl reads them. They are never combined with a url of the
// compose file's.
func GitHubCacheLogin(c Cache, lookup func(string) (string, bool)) map[string]string {
	getenv := func(name string) string { value, _ := lookup(name); return value }
	token := getenv(gitHubToken)
	if c.Type != cacheGHA || c.Attrs["token"] != "" || c.Attrs["url"] != "" || c.Attrs["url_v2"] != "" || token == "" {
		return nil
	}
	results := getenv("ACTIONS_RESULTS_URL")
	out := map[string]string{"token": token, "url": cmp.Or(getenv("ACTIONS_CACHE_URL"), results)}
	second, _ := strconv.ParseBool(getenv("ACTIONS_CACHE_SERVICE_V2")) // anything else is false
	if version := c.Attrs["version"]; version == "2" || version == "" && second {
		out["version"], out["url_v2"] = "2", results
	}
	maps.DeleteFunc(out, func(_, value string) bool { return value == "" })
	return out
}
