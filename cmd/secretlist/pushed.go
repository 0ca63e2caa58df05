package secretlist

import (
	"io"
	"text/tabwriter"

	"slipway/internal/plain"
	"slipway/rollout/secret/stored"
)

// PushedRow is one element of the array that `secrets push --output json` prints.
type PushedRow struct {
	// Name is the name in the compose file, ID the one in Secrets Manager.
	Name string `json:"name"`
	ID   string `json:"id"`
	// Result is created, changed, unchanged or failed.
	Result stored.Outcome `json:"result"`
	// Problem is the reason of a failure.
	Problem string `json:"problem,omitempty"`
}

// Pushed are the secrets that were pushed.
type Pushed []PushedRow

// PushedRows returns the rows of results.
func PushedRows(results []stored.Pushed) Pushed {
	rows := Pushed{}
	for _, p := range results {
		row := PushedRow{Name: p.Key, ID: p.ID, Result: p.Outcome}
		if p.Err != nil {
			row.Problem = p.Err.Error()
		}
		rows = append(rows, row)
	}
	return rows
}

// Count returns the number of secrets with a result.
func (p Pushed) Count(result stored.Outcome) (n int) {
	for _, row := range p {
		if row.Result == result {
			n++
		}
	}
	return n
}

// Print writes a line for each secret.
func (p Pushed) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range p {
		plain.Fprintf(t, "%s\t%s\t%s\n", row.Name, row.ID, string(row.Result))
	}
	return t.Flush()
}
