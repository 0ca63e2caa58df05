package diff

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"slipway/rollout/task"
)

// SecretsTag has the versions of the secrets that the tasks of a definition started with:
// SECRET=VERSION for each, separated by spaces, both as 8 hexadecimal digits of a SHA-256
// sum. VERSION is the sum of a VersionId, which says nothing of the value. Versions that do
// not fit into one tag follow in slipway:secrets-2 and so on.
const SecretsTag = "slipway:secrets"

// maxSecretsTags bounds the tags with versions: a task definition has at most 50 tags
// ("Tagging your Amazon ECS resources" in the ECS developer guide). The versions of more
// secrets are not recorded.
const maxSecretsTags = 10

// versions are sums of the versions of secrets, by the sums of their places.
type versions map[string]string

// shortSum returns 8 hexadecimal digits of the SHA-256 sum of a text.
func shortSum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:4])
}

// place returns the sum of the place of a secret. Two variables with different JSON keys
// of one secret have one place.
func place(valueFrom string) string {
	// arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME:KEY:STAGE:VERSION
	parts := strings.Split(valueFrom, ":")
	if len(parts) > 8 {
		parts[7] = ""
	}
	return shortSum(strings.TrimRight(strings.Join(parts, ":"), ":"))
}

// recorded returns the versions that the tags of a definition name.
func (r Running) recorded() versions {
	out := versions{}
	for n := 1; ; n++ {
		text, ok := r.tag(numbered(SecretsTag, n))
		if !ok {
			return out
		}
		for _, pair := range strings.Fields(text) {
			if secret, version, ok := strings.Cut(pair, "="); ok {
				out[secret] = version
			}
		}
	}
}

// rotate adds a change for each variable whose secret has another version than the running
// tasks started with, and returns the versions to record. A secret without a recorded
// version, as from before there was this tag, counts as the same. A version that AWS has
// not named stays.
func (r Running) rotate(d task.Definition, changes []Change) ([]Change, versions) {
	was, now := r.recorded(), versions{}
	for _, c := range d.Input.Containers {
		for _, s := range c.Secrets {
			secret, version := place(s.ValueFrom), ""
			if id := d.Versions[s.ValueFrom]; id != "" {
				version = shortSum(id)
			}
			old := was[secret]
			switch {
			case version != "":
				now[secret] = version
			case old != "":
				now[secret] = old
			}
			if version != "" && old != "" && version != old && (finder{r.Fields}).runs(c.Name, s) {
				changes = append(changes, Change{Container: c.Name, Field: "secrets." + s.Name, Rotated: true})
			}
		}
	}
	return changes, now
}

// runs reports whether a container has a secret as a variable.
func (f finder) runs(container string, s task.Secret) bool {
	return text(f.variable(task.Place{Container: container, Field: "secrets", Name: s.Name}), "valueFrom") == s.ValueFrom
}

// tagged returns tags with those of the versions.
func (v versions) tagged(tags []any) []any {
	out := withoutTag(tags, SecretsTag)
	var pairs []string
	for _, secret := range slices.Sorted(maps.Keys(v)) {
		pairs = append(pairs, secret+"="+v[secret])
	}
	for n, text := range lines(pairs) {
		if text != "" && n < maxSecretsTags {
			out = append(out, object{"key": numbered(SecretsTag, n+1), "value": text})
		}
	}
	return out
}

// withoutTag returns tags without a numbered one.
func withoutTag(tags []any, key string) []any {
	return slices.DeleteFunc(slices.Clone(tags), func(t any) bool {
		have := text(asObject(t), "key")
		return have == key || strings.HasPrefix(have, key+"-")
	})
}

// numbered returns the key of the n-th tag of a list.
func numbered(key string, n int) string {
	if n == 1 {
		return key
	}
	return fmt.Sprintf("%s-%d", key, n)
}
