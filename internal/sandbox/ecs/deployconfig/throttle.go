package deployconfig

import "time"

// Throttle returns the scheduler's pause after a number of failures: it grows
// up to 27 minutes, the guide's "service throttle logic". Where it begins is
// not documented. Here it is after ten failures, so that no circuit breaker of
// the usual kind waits for it.
func Throttle(failures int) time.Duration {
	const first, most = 10 * time.Second, 27 * time.Minute
	switch n := failures - 10; {
	case n <= 0:
		return 0
	case n > 7:
		return most
	default:
		return min(first<<n, most)
	}
}
