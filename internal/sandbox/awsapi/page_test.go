package awsapi

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// Pages that follow their tokens have every entry once, in order.
func TestPagesHaveEveryEntry(t *testing.T) {
	var all []string
	for i := range 23 {
		all = append(all, fmt.Sprintf("%02d", i))
	}
	for _, size := range []int{1, 5, 23, 24} {
		var got []string
		p := Paging{MaxResults: &size}
		for {
			part, next, err := Page(p, 100, all, func(s string) string { return s })
			if err != nil {
				t.Fatalf("Page(%d, %q): %v", size, p.NextToken, err)
			}
			if got = append(got, part...); next == "" || len(got) > len(all) {
				break
			}
			p.NextToken = next
		}
		if !slices.Equal(got, all) {
			t.Errorf("pages of %d have %v, want %v", size, got, all)
		}
	}
}

func FuzzPageToken(f *testing.F) {
	f.Add("")
	f.Add("MDE")
	f.Add("?")
	all := []string{"00", "01", "02"}
	f.Fuzz(func(t *testing.T, token string) {
		part, _, err := Page(Paging{NextToken: token}, 100, all, func(s string) string { return s })
		var refused *Error
		if err != nil && (!errors.As(err, &refused) || refused.Code != "InvalidParameterException") {
			t.Errorf("Page with the token %q: %v, want InvalidParameterException", token, err)
		}
		if err == nil && !slices.Equal(part, all[len(all)-len(part):]) {
			t.Errorf("Page with the token %q is %v, want an end of %v", token, part, all)
		}
	})
}
