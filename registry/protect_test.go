package registry

import (
	"strings"
	"testing"
)

func TestServiceTags(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 255)
	for _, row := range []struct{ cluster, service, live, previous string }{
		{"shop", "web", "live-shop.web", "previous-shop.web"},
		{"", "web", "live-default.web", "previous-default.web"},
		{"", "latest", "live-default.latest", "previous-default.latest"},
		{long, long, "live-" + long[:102] + "-6f2005e201a5e29d", "previous-" + long[:102] + "-6f2005e201a5e29d"},
	} {
		live, previous := LiveTag(row.cluster, row.service), PreviousTag(row.cluster, row.service)
		if live != row.live || previous != row.previous || PreviousOf(live) != previous {
			t.Errorf("tags of %s/%s = %q, %q, %q, want %q, %q", row.cluster, row.service, live, previous, PreviousOf(live), row.live, row.previous)
		}
		for _, tag := range []string{live, previous} {
			if ValidateTag(tag) != nil || !IsProtected(tag) || !IsServiceTag(tag) || IsRevisionName(tag) {
				t.Errorf("%s is not a legal, protected tag of a service", tag)
			}
		}
	}
	if LiveTag(long+"a", "web") == LiveTag(long+"b", "web") {
		t.Error("two clusters with long names have one tag")
	}
	if IsServiceTag(TagPrevious) || !IsProtected(TagPrevious) || !IsProtected("deployed") {
		t.Error("want previous-latest and deployed protected, and of no service")
	}
}
