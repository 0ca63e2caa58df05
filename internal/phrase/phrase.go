// Package phrase writes counts and digests for people.
package phrase

import (
	"fmt"
	"time"
)

// Count returns "1 service", "2 services".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Repositories returns "1 repository", "2 repositories".
func Repositories(n int) string {
	if n == 1 {
		return "1 repository"
	}
	return fmt.Sprintf("%d repositories", n)
}

// ShortDigest returns the algorithm and the first 12 digits of a digest.
func ShortDigest(digest string) string {
	const length = len("sha256:") + 12
	return digest[:min(len(digest), length)]
}

// Ago returns an age as people give it: 3 minutes, 2 hours, and days to the nearest.
func Ago(now, then time.Time) string {
	switch d := now.Sub(then); {
	case d < time.Minute:
		return Count(max(int(d.Seconds()), 0), "second")
	case d < time.Hour:
		return Count(int(d.Minutes()), "minute")
	case d < 48*time.Hour:
		return Count(int(d.Hours()), "hour")
	default:
		return Count(int((d+12*time.Hour).Hours()/24), "day")
	}
}

// ByteCount returns a number of bytes in decimal units, and ? for an unknown number.
func ByteCount(n *int64) string {
	switch {
	case n == nil:
		return "?"
	case *n < 1000:
		return fmt.Sprintf("%d B", *n)
	case *n < 1000*1000:
		return fmt.Sprintf("%.1f kB", float64(*n)/1e3)
	case *n < 1000*1000*1000:
		return fmt.Sprintf("%.1f MB", float64(*n)/1e6)
	default:
		return fmt.Sprintf("%.2f GB", float64(*n)/1e9)
	}
}
