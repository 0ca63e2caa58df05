package source

import (
	"slices"
	"testing"
)

func TestOutwardLinks(t *testing.T) {
	dir := plant(t, map[string]string{
		"api/run": "-> run.sh", "api/run.sh": "", "api/up": "-> ../lib/x", "lib/x": "", "dangling": "-> missing", "..odd/x": "",
		"odd": "-> ..odd/x", "api/out": "-> ../../other/x", "above": "-> ..", "absolute": "-> /etc/hostname",
	})
	s, err := Read(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.OutwardLinks(), []string{"above", "absolute", "api/out"}; !slices.Equal(got, want) {
		t.Errorf("OutwardLinks() = %q, want %q", got, want)
	}
}
