package diff_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"slipway/rollout/task"
	"slipway/rollout/task/diff"
)

const secretARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:"

// withSecrets returns a definition whose variables read secrets, NAME=PLACE.
func withSecrets(t testing.TB, versions map[string]string, variables ...string) task.Definition {
	t.Helper()
	var list []string
	for _, v := range variables {
		name, place, _ := strings.Cut(v, "=")
		list = append(list, fmt.Sprintf(`{"name": %q, "valueFrom": "%s%s"}`, name, secretARN, place))
	}
	d := derived(t, `"secrets": [`+strings.Join(list, ",")+`]`)
	d.Versions = map[string]string{}
	for place, id := range versions {
		d.Versions[secretARN+place] = id
	}
	return d
}

// tags returns the values of the tags with versions.
func tags(t testing.TB, tags []any) []string {
	t.Helper()
	var out []string
	for _, tag := range tags {
		key, value := tag.(map[string]any)["key"].(string), tag.(map[string]any)["value"].(string)
		if key == diff.SecretsTag || strings.HasPrefix(key, diff.SecretsTag+"-") {
			out = append(out, value)
		}
		if len(value) > 256 {
			t.Errorf("the value of %s has %d characters, ECS takes 256", key, len(value))
		}
	}
	return out
}

// places returns the differences by their places.
func places(r diff.Result) string {
	var out []string
	for _, c := range r.Changes {
		out = append(out, c.Where())
	}
	return strings.Join(out, ", ")
}

func TestRotatedSecrets(t *testing.T) {
	variables := []string{"A=shop/a-AbCdEf", "B=shop/b-AbCdEf:user::", "C=shop/b-AbCdEf:password::"}
	first := map[string]string{"shop/a-AbCdEf": "v1", "shop/b-AbCdEf:user::": "v2", "shop/b-AbCdEf:password::": "v2"}
	rotated := map[string]string{"shop/a-AbCdEf": "v1", "shop/b-AbCdEf:user::": "v3", "shop/b-AbCdEf:password::": "v3"}
	registered := compare(t, withSecrets(t, first, variables...), running(t, ``))
	if got := tags(t, registered.Tags); len(got) != 1 || len(strings.Fields(got[0])) != 2 {
		t.Errorf("tags with versions %q, want one with two secrets", got)
	}
	for _, x := range []struct {
		name     string
		versions map[string]string
		want     string
	}{
		{"the same versions", first, ""},
		{"a new version", rotated, "web.secrets.B (new version), web.secrets.C (new version)"},
		{"no version is known", nil, ""},
		{"one version is known", map[string]string{"shop/a-AbCdEf": "v4"}, "web.secrets.A (new version)"},
	} {
		d := withSecrets(t, x.versions, variables...)
		got := again(t, d, registered)
		if places(got) != x.want || got.Written != diff.Proven {
			t.Errorf("%s: differences %q, proof %d, want %q and %d", x.name, places(got), got.Written, x.want, diff.Proven)
		}
		if after := again(t, d, got); places(after) != "" {
			t.Errorf("%s: differences %q once it is registered", x.name, places(after))
		}
		if text := tags(t, got.Tags); len(text) != 1 || len(strings.Fields(text[0])) != 2 {
			t.Errorf("%s: tags with versions %q, want one with two secrets", x.name, text)
		}
	}
	// Another secret is a difference of the variable, whatever its version.
	d := withSecrets(t, map[string]string{"shop/c-AbCdEf": "v9"}, "A=shop/c-AbCdEf")
	if got := again(t, d, registered); places(got) != "web.secrets.C, web.secrets.B, web.secrets.A" || len(tags(t, got.Tags)) != 1 || tags(t, got.Tags)[0] == tags(t, registered.Tags)[0] {
		t.Errorf("another secret: differences %q, tags %v", places(got), got.Tags)
	}
}

// A definition from before versions were recorded is the compose file's, and equal.
func TestUnrecordedVersions(t *testing.T) {
	d := withSecrets(t, map[string]string{"shop/a-AbCdEf": "v1"}, "A=shop/a-AbCdEf")
	registered := compare(t, d, running(t, ``))
	registered.Tags = slices.DeleteFunc(registered.Tags, func(tag any) bool { return tag.(map[string]any)["key"] == diff.SecretsTag })
	got := again(t, d, registered)
	if places(got) != "" || got.Written != diff.Proven || len(tags(t, got.Tags)) != 1 {
		t.Errorf("differences %q, proof %d, tags %v, want none, %d and the versions", places(got), got.Written, got.Tags, diff.Proven)
	}
}

// Many secrets take several tags, and no more than a definition can have.
func TestManySecrets(t *testing.T) {
	for n, want := range map[int]int{14: 1, 15: 2, 500: 10} {
		versions, variables := map[string]string{}, []string(nil)
		for i := range n {
			place := fmt.Sprintf("shop/%d-AbCdEf", i)
			versions[place], variables = "v1", append(variables, fmt.Sprintf("V%d=%s", i, place))
		}
		d := withSecrets(t, versions, variables...)
		registered := compare(t, d, running(t, ``))
		if got := tags(t, registered.Tags); len(got) != want {
			t.Errorf("%d secrets take %d tags, want %d", n, len(got), want)
		}
		if got := again(t, d, registered); places(got) != "" {
			t.Errorf("%d secrets: differences %q once it is registered", n, places(got))
		}
		none := derived(t, ``)
		if got := again(t, none, registered); len(tags(t, got.Tags)) != 0 {
			t.Errorf("without secrets there are the tags %v", got.Tags)
		}
	}
}
