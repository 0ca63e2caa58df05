// Package secretlist compares the secrets of a project with those in AWS, and prints
// them without their values.
package secretlist

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/internal/phrase"
	"slipway/internal/plain"
	"slipway/rollout/secret"
	"slipway/rollout/secret/stored"
)

// Row is one element of the array that `secrets --output json` prints.
type Row struct {
	// Name is the name in the compose file, Store the service of AWS: secretsmanager
	// or ssm. ID is the name or the ARN in it.
	Name  string       `json:"name"`
	Store secret.Store `json:"store"`
	ID    string       `json:"id"`
	// External reports that secrets push does not write it.
	External bool     `json:"external"`
	Services []string `json:"services"`
	// Exists is nil where AWS does not say.
	Exists *bool  `json:"exists,omitempty"`
	ARN    string `json:"arn,omitempty"`
	// Changed is when it was last changed, Deletion when it was scheduled for deletion.
	Changed  *time.Time `json:"changed,omitempty"`
	Deletion *time.Time `json:"deletionScheduled,omitempty"`
	// Differs reports whether the value on this host is another one; nil where that is
	// not known.
	Differs *bool `json:"differs,omitempty"`
	// Problem is the reason why containers cannot read it, or why something is not
	// known.
	Problem string `json:"problem,omitempty"`
}

// Rows are the secrets of a project.
type Rows []Row

// Read describes secrets, and compares their values on this host with those in AWS
// where the caller may read these. The error has what AWS refused to describe; there
// are rows all the same.
func Read(ctx context.Context, c *awsclient.Clients, values []secret.Local) (Rows, error) {
	var secrets []secret.Secret
	for _, v := range values {
		secrets = append(secrets, v.Secret)
	}
	states := stored.Read(ctx, c, secrets)
	var present []secret.Local
	var places []int
	for i, s := range states {
		if s.ARN != "" && s.Deleted.IsZero() {
			present, places = append(present, values[i]), append(places, i)
		}
	}
	compared := make([]stored.Comparison, len(values))
	for i, x := range stored.Compare(ctx, c, present) {
		compared[places[i]] = x
	}
	rows, errs := Rows{}, []error(nil)
	for i, s := range states {
		rows = append(rows, newRow(s, values[i], compared[i]))
		if s.Err != nil {
			errs = append(errs, fault.As(fault.AWS, fmt.Errorf("describing %s: %w", s.ID, s.Err)))
		}
	}
	return rows, errors.Join(errs...)
}

func newRow(s stored.State, local secret.Local, x stored.Comparison) Row {
	r := Row{Name: s.Key, Store: s.Store, ID: s.ID, External: s.External, Services: s.Services, ARN: s.ARN}
	exists := s.ARN != ""
	if s.Err == nil {
		r.Exists = &exists
	}
	if !s.Changed.IsZero() {
		r.Changed = &s.Changed
	}
	if !s.Deleted.IsZero() {
		r.Deletion = &s.Deleted
	}
	if x.Known {
		r.Differs = &x.Differs
	}
	r.Problem = problem(s, local, x)
	return r
}

// problem returns the reason why a secret cannot be read or compared; empty if there
// is none.
func problem(s stored.State, local secret.Local, x stored.Comparison) string {
	switch {
	case s.Err != nil:
		return "not known: " + s.Err.Error()
	case s.Problem() != "":
		return s.Problem()
	case local.Err != nil:
		return local.Err.Error()
	case stored.Denied(x.Err):
		return "not compared: the caller may not read the value"
	case x.Err != nil:
		return "not compared: " + x.Err.Error()
	default:
		return ""
	}
}

// Print writes a table.
func (r Rows) Print(w io.Writer) error {
	if len(r) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tSECRET\tCHANGED\tVALUE HERE\tSERVICES\tPROBLEM")
	for _, row := range r {
		plain.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", row.Name, row.ID, row.changed(), row.difference(), strings.Join(row.Services, ", "), cmp.Or(row.Problem, "-"))
	}
	return t.Flush()
}

func (r Row) changed() string {
	if r.Changed == nil {
		return "-"
	}
	return phrase.Ago(time.Now(), *r.Changed) + " ago"
}

func (r Row) difference() string {
	switch {
	case r.External:
		return "external"
	case r.Differs == nil:
		return "-"
	case *r.Differs:
		return "differs"
	default:
		return "equal"
	}
}
