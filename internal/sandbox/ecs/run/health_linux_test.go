package run

import (
	"strings"
	"testing"
	"time"
)

// The results of checks, a second apart, and the statuses that they lead to: p
// passes, f fails.
func TestChecks(t *testing.T) {
	for _, test := range []struct {
		results, want string // of statuses: h, u, or - for no change
		free          time.Duration
	}{
		{"p", "h", 0},
		{"fff", "--u", 0},
		{"ffpffpfff", "--h-----u", 0},
		{"pfffp", "h--uh", 0},
		{"ffffff", "-----u", 3 * time.Second},
		{"ffpfff", "--h--u", time.Minute},
	} {
		begin := time.Now()
		c := checks{retries: 3, free: begin.Add(test.free)}
		var got strings.Builder
		for i, r := range test.results {
			switch c.add(r == 'p', begin.Add(time.Duration(i)*time.Second)) {
			case "HEALTHY":
				got.WriteByte('h')
			case "UNHEALTHY":
				got.WriteByte('u')
			default:
				got.WriteByte('-')
			}
		}
		if got.String() != test.want {
			t.Errorf("%s with a start period of %s led to %s, want %s", test.results, test.free, &got, test.want)
		}
	}
}
