package doctor

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
)

// Status is how a finding stands.
type Status string

const (
	StatusOK        Status = "ok"
	StatusWarning   Status = "warning"
	StatusFailed    Status = "failed"
	StatusUnchecked Status = "not checked"
)

// Finding is one element of the array that `doctor --output json` prints.
type Finding struct {
	Check string `json:"check"`
	// Subject is the object of the finding, where a check has several.
	Subject string `json:"subject,omitempty"`
	Status  Status `json:"status"`
	Detail  string `json:"detail"`
	// Remedy says how to correct it; empty where nothing is to be done.
	Remedy string `json:"remedy,omitempty"`
	// Kind is the kind of a failure: Input, AWS or Other.
	Kind fault.Kind
	// err is the error, whose hint is the remedy where the finding has none.
	err error
	// otherwise is the remedy where the error has no hint either.
	otherwise string
}

// of is the finding about a subject.
func (f Finding) of(subject string) Finding {
	f.Subject = subject
	return f
}

// Softened is a failure that does not keep build from running.
func (f Finding) Softened() Finding {
	if f.Status == StatusFailed {
		f.Status = StatusWarning
	}
	return f
}

func Fine(format string, args ...any) Finding {
	return Finding{Status: StatusOK, Detail: fmt.Sprintf(format, args...)}
}

func Warned(remedy, format string, args ...any) Finding {
	return Finding{Status: StatusWarning, Detail: fmt.Sprintf(format, args...), Remedy: remedy}
}

// warnedOf is a warning about an error.
func warnedOf(err error, format string, args ...any) Finding {
	return Finding{Status: StatusWarning, Detail: fmt.Sprintf(format, args...), err: err}
}

func Unchecked(remedy, format string, args ...any) Finding {
	return Finding{Status: StatusUnchecked, Detail: fmt.Sprintf(format, args...), Remedy: remedy}
}

// broken is an error that build would end with, or one like it.
func broken(err error) Finding {
	kind := awsclient.KindOf(err)
	switch kind {
	case fault.Usage:
		kind = fault.Input
	case fault.Input, fault.AWS:
	default:
		kind = fault.Other
	}
	return Finding{Status: StatusFailed, Detail: err.Error(), Kind: kind, err: err}
}

// check finds something out. Checks know nothing of each other and run at the same time.
type check struct {
	name  string
	needs need
	// first waits for what the check wants to know from others and can do without; nil
	// for nothing.
	first func()
	// run must return soon after its context ends.
	run func(context.Context) []Finding
}

// need is a condition of a check.
type need int

const (
	needsProject need = 1 << iota
	needsCloud
	needsAccess
	needsFound
	needsEngine

	needsRepositories = needsProject | needsAccess | needsFound
)

// missing names the need that is not met; empty if all are. The check of the
// need itself has the reason and the remedy.
func (d *doctor) missing(n need) string {
	if n&needsProject != 0 && d.plan == nil {
		return "the project cannot be read"
	}
	if n&(needsCloud|needsAccess) != 0 {
		if _, err := d.cloud(); err != nil {
			return "no region is known"
		}
	}
	if n&needsAccess != 0 {
		if a, err := d.access(); err != nil {
			return a.blocked
		}
	}
	if n&needsFound != 0 {
		if _, err := d.repositories(); err != nil {
			return "the repositories cannot be described"
		}
	}
	if n&needsEngine != 0 {
		if _, err := d.engine(); err != nil {
			return "there is no engine"
		}
	}
	return ""
}

// examine runs the checks all at once and lists what they find in their order.
func (d *doctor) examine(ctx context.Context, checks []check) []Finding {
	results := make([][]Finding, len(checks))
	var all sync.WaitGroup
	for i, c := range checks {
		all.Go(func() { results[i] = d.examineOne(ctx, c) })
	}
	all.Wait()
	var out []Finding
	for i, list := range results {
		for _, f := range list {
			f.Check = cmp.Or(f.Check, checks[i].name)
			if f.Remedy == "" && f.err != nil {
				f.Remedy = cmp.Or(d.options.Hint(f.err), f.otherwise)
			}
			out = append(out, f)
		}
	}
	return out
}

// examineOne lets no check hang: one that does not come back in time is given up.
func (d *doctor) examineOne(ctx context.Context, c check) []Finding {
	if why := d.missing(c.needs); why != "" {
		return []Finding{Unchecked("", "%s", why)}
	}
	// What is shared with other checks has limits of its own.
	if c.first != nil {
		c.first()
	}
	ctx, cancel := context.WithTimeout(ctx, d.options.Limit)
	defer cancel()
	done := make(chan []Finding, 1)
	go func() { done <- c.run(ctx) }()
	select {
	case list := <-done:
		return list
	case <-ctx.Done():
	}
	select {
	case list := <-done:
		return list
	case <-time.After(gracePeriod):
		return []Finding{{Status: StatusFailed, Detail: "no answer within " + d.options.Limit.String(), Remedy: "look for what hangs, or give it more time with --check-timeout"}}
	}
}

// gracePeriod is how long a check may take to notice that its time is over.
const gracePeriod = 2 * time.Second

// asked is a question that is asked once, within a limit, however many want its answer.
func asked[T any](ctx context.Context, limit time.Duration, question func(context.Context) (T, error)) func() (T, error) {
	return sync.OnceValues(func() (T, error) {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return question(ctx)
	})
}
