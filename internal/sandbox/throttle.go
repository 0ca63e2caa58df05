package sandbox

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"slipway/internal/sandbox/awsapi"
)

// ErrNoSuchAction is wrapped by what Fault and Limit return when they are to
// act on a service or an action that the sandbox does not know.
var ErrNoSuchAction = errors.New("no such action")

// Fault makes the next calls that match it fail or wait. It applies to the
// services that speak JSON: all but S3, STS, IAM and the registry.
type Fault struct {
	// Service is "ecr", "ecs", "codedeploy", "logs" or
	// "application-autoscaling"; empty is all of them.
	Service string
	// Action is the API's action, such as "UpdateService"; empty is all.
	Action string
	// Count is how many calls it concerns. With 0, earlier faults of the same
	// service and action are forgotten.
	Count int
	// Error is the code to answer, such as "ThrottlingException". Empty lets
	// calls through after Delay.
	Error string
	// Message goes with Error; a sentence of our own if empty.
	Message string
	// Delay, in real time, passes before the answer.
	Delay time.Duration
	// CarriedOut has the call do its work before Error is answered, as when
	// the answer is lost on its way.
	CarriedOut bool
}

// Limit is the rate at which calls to one action are let through. It is kept
// by a bucket of tokens on the server's clock, as AWS's request quotas are.
type Limit struct {
	// Service and Action say which calls, as in Fault; both are needed.
	Service, Action string
	// Rate is how many calls a second are let through in the long run; 0 lifts
	// the limit.
	Rate float64
	// Burst is how many come through at once after a quiet time; one second's
	// worth, at least one, if 0.
	Burst int
}

// Fault makes the next calls that match go wrong. Faults of the same calls are
// used up in the order in which they came. The error wraps ErrNoSuchAction, or
// says what makes no sense.
func (s *Server) Fault(f Fault) error {
	if err := s.checkAction(f.Service, f.Action); err != nil {
		return err
	}
	switch {
	case f.Count < 0 || f.Delay < 0:
		return fmt.Errorf("count %d and delay %s must not be negative", f.Count, f.Delay)
	case f.Count > 0 && f.Error == "" && f.Delay == 0:
		return errors.New("error or delay is needed to say what goes wrong")
	}
	s.faults.add(f)
	return nil
}

// Limit throttles an action: calls beyond the rate get ThrottlingException
// "Rate exceeded". The error wraps ErrNoSuchAction, or says what makes no sense.
func (s *Server) Limit(l Limit) error {
	if l.Service == "" || l.Action == "" {
		return errors.New("service and action are needed to say what is limited")
	}
	if err := s.checkAction(l.Service, l.Action); err != nil {
		return err
	}
	if !(l.Rate >= 0) || l.Burst < 0 {
		return fmt.Errorf("rate %g and burst %d must not be negative", l.Rate, l.Burst)
	}
	s.faults.limit(l)
	return nil
}

func (s *Server) checkAction(service, action string) error {
	var names []string
	for _, svc := range s.json {
		names = append(names, svc.Name)
		if _, known := svc.Actions[action]; (service == "" || svc.Name == service) && (action == "" || known) {
			return nil
		}
	}
	if service != "" && !slices.Contains(names, service) {
		return fmt.Errorf("%w: service %q: it must be one of %s", ErrNoSuchAction, service, strings.Join(names, ", "))
	}
	return fmt.Errorf("%w: %q of service %q", ErrNoSuchAction, action, service)
}

// faults keeps the faults and limits of a server.
type faults struct {
	clock *awsapi.Clock

	mu       sync.Mutex
	faults   []*Fault
	limiters map[calledAction]*rate.Limiter
}

type calledAction struct{ service, action string }

func newFaults(c *awsapi.Clock) *faults {
	return &faults{clock: c, limiters: map[calledAction]*rate.Limiter{}}
}

func (t *faults) add(f Fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f.Count == 0 {
		t.faults = slices.DeleteFunc(t.faults, func(old *Fault) bool {
			return old.Service == f.Service && old.Action == f.Action
		})
		return
	}
	t.faults = append(t.faults, &f)
}

func (t *faults) limit(l Limit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := calledAction{l.Service, l.Action}
	if l.Rate == 0 {
		delete(t.limiters, key)
		return
	}
	burst := l.Burst
	if burst == 0 {
		burst = max(1, int(math.Ceil(l.Rate)))
	}
	t.limiters[key] = rate.NewLimiter(rate.Limit(l.Rate), burst)
}

// take uses up one call of the first fault that fits, or one token.
func (t *faults) take(service, action string) (f Fault, throttled bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, f := range t.faults {
		if (f.Service != "" && f.Service != service) || (f.Action != "" && f.Action != action) {
			continue
		}
		if f.Count--; f.Count == 0 {
			t.faults = slices.Delete(t.faults, i, i+1)
		}
		return *f, false
	}
	limiter := t.limiters[calledAction{service, action}]
	return Fault{}, limiter != nil && !limiter.AllowN(t.clock.Now(), 1)
}

// around does a call's work, unless it is to go wrong.
func (t *faults) around(ctx context.Context, service, action string, work func() (any, error)) (any, error) {
	f, throttled := t.take(service, action)
	if throttled {
		return nil, awsapi.NewError("ThrottlingException", "Rate exceeded")
	}
	if err := pause(ctx, f.Delay); err != nil {
		return nil, err
	}
	if f.Error == "" {
		return work()
	}
	if f.CarriedOut {
		if _, err := work(); err != nil {
			return nil, err
		}
	}
	return nil, awsapi.NewError(f.Error, f.message())
}

func (f Fault) message() string {
	switch {
	case f.Message != "":
		return f.Message
	case f.Error == "ThrottlingException":
		return "Rate exceeded"
	default:
		return "the sandbox was told to answer this"
	}
}

// pause ends early with the context's error.
func pause(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
