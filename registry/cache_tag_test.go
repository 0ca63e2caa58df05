package registry

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/internal/testkit"

	"github.com/google/go-containerregistry/pkg/authn"

	"slipway/registry/lifecycle"
)

func TestCacheTag(t *testing.T) {
	t.Parallel()
	for platform, want := range map[string]string{
		"":                           "buildcache",
		"linux/arm64":                "buildcache-linux-arm64",
		"linux/arm/v7":               "buildcache-linux-arm-v7",
		"windows(10.0.17763)/amd64":  "buildcache-windows-10.0.17763--amd64",
		"linux(+erofs)/amd64/v2+x y": "buildcache-linux--erofs--amd64-v2-x-y",
	} {
		got := CacheTag(platform)
		if got != want || ValidateTag(got) != nil || !IsProtected(got) {
			t.Errorf("%s: %s, want %s", platform, got, want)
		}
	}
	for _, tag := range []string{"", "later", "latest-1", "1a2b3c4d5e6f", "my-buildcache"} {
		if IsProtected(tag) {
			t.Errorf("%s is protected", tag)
		}
	}
}

// The caches of eight platforms outlive the days that others have; what a newer
// cache took the tag of does not, and of a ninth platform the oldest goes.
// The tag of a base's cache begins as the rules and filters for platforms expect.
func TestBaseCacheTag(t *testing.T) {
	long := strings.Repeat("x", 200)
	for _, row := range []struct{ platform, service, want string }{
		{"", "base", "buildcache-linux-base-base"},
		{"linux/arm64", "my.base", "buildcache-linux-arm64-base-my.base"},
		{"", long, ("buildcache-linux-base-" + long)[:128]},
	} {
		tag := BaseCacheTag(row.platform, row.service)
		if tag != row.want || ValidateTag(tag) != nil || !IsProtected(tag) || !lifecycle.MatchTag(cachePattern, tag) {
			t.Errorf("BaseCacheTag(%q, %q) = %q, want %q, which is legal and protected", row.platform, row.service, tag, row.want)
		}
	}
}

func TestRetentionKeepsCaches(t *testing.T) {
	t.Parallel()
	server, clients := testkit.StartECR(t)
	ref := Ref{Account: testkit.HomeAccount, Region: testkit.HomeRegion, Name: "shop/one"}
	repo := mustCreate(t, server, clients, ref)[ref]
	api := clients(repo.Region)
	if _, err := ApplyRetention(t.Context(), api, repo, 7, false); err != nil {
		t.Fatal(err)
	}
	const platforms = 8 // whose caches the rule keeps
	var old, now []string
	export := func(auth authn.Authenticator) []string {
		var digests []string
		for n := range platforms {
			digests = append(digests, testkit.PushImage(t, repo.URI, auth, CacheTag(fmt.Sprintf("linux/p%d", n))))
			server.Advance(time.Second)
		}
		return digests
	}
	old = export(testkit.ECRLogin(t, api))
	server.Advance(time.Hour)
	now = export(testkit.ECRLogin(t, api))
	if left := digestsIn(t, api, repo); len(left) != len(old)+len(now) {
		t.Fatalf("%d images, want %d", len(left), len(old)+len(now))
	}
	server.Advance(6 * 24 * time.Hour)
	if left := digestsIn(t, api, repo); len(left) != len(old)+len(now) {
		t.Errorf("after six days %d images are left", len(left))
	}
	server.Advance(30 * 24 * time.Hour)
	left := digestsIn(t, api, repo)
	slices.Sort(left)
	if want := slices.Sorted(slices.Values(now)); !slices.Equal(left, want) {
		t.Errorf("%v are left, want %v", left, want)
	}
	ninth := testkit.PushImage(t, repo.URI, testkit.ECRLogin(t, api), CacheTag("linux/p8"))
	server.Advance(time.Second)
	if left := digestsIn(t, api, repo); len(left) != platforms || slices.Contains(left, now[0]) || !slices.Contains(left, ninth) {
		t.Errorf("with one more: %v", left)
	}
}
