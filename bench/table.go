package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// row is one line of the table: a figure of Slipway's, mostly beside another's.
type row struct {
	what           string
	slipway, other string
	ratio          string
	budget         string
	verdict        verdict
}

type verdict string

const (
	noBudget     verdict = ""
	keptBudget   verdict = "yes"
	missedBudget verdict = "NO"
)

// figure is what the budget is about.
func (r row) figure() string {
	if r.ratio != "" {
		return r.ratio + " of " + r.other
	}
	return r.slipway
}

// ratioRow compares two medians. A budget is the greatest ratio allowed; 0
// means that there is none and the row is there to be known.
func ratioRow(what string, slipway time.Duration, with string, other time.Duration, budget float64) row {
	ratio := float64(slipway) / float64(other)
	r := row{what: what, slipway: seconds(slipway), other: with + " " + seconds(other), ratio: roundedUp(ratio)}
	if budget > 0 {
		r.budget = fmt.Sprintf("≤ %.2f", budget)
		r.verdict = judge(ratio <= budget)
	}
	return r
}

// roundedUp prints two decimals that never make a missed budget look kept.
func roundedUp(ratio float64) string {
	return fmt.Sprintf("%.2f", math.Ceil(ratio*100-1e-9)/100)
}

// limitRow holds a figure against a limit that it must stay under.
func limitRow[T int64 | time.Duration](what, printed string, value, limit T, budget string) row {
	return row{what: what, slipway: printed, budget: "< " + budget, verdict: judge(value < limit)}
}

func judge(ok bool) verdict {
	if ok {
		return keptBudget
	}
	return missedBudget
}

func table(rows []row) string {
	var b strings.Builder
	b.WriteString("| what | slipway | compared with | ratio | budget | ok |\n|---|---:|---:|---:|---:|---|\n")
	for _, r := range rows {
		cells := []string{r.what, r.slipway, r.other, r.ratio, r.budget, string(r.verdict)}
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	return b.String()
}

// seconds prints a duration with the digits that mean something.
func seconds(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// median is the middle value, or the mean of the two in the middle.
func median[T int64 | time.Duration](values []T) T {
	s := slices.Sorted(slices.Values(values))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}
