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

// ErrNoSuchAction is wrapped by the errors of Fault and Limit for a service or
// an action that the sandbox does not have.
var ErrNoSuchAction = errors.New("no such action")

// Fault makes the next calls that match it fail or wait. It applies to the
// services that speak JSON: all but S3, STS, IAM, CloudFormation
// and the registry.
type Fault struct {
	// Service is "ecr", "ecs", "codedeploy", "codepipeline", "logs",
	// "application-autoscaling", "events" or "scheduler"; empty is all of them.
	Service string
	// Action is the API's action, such as "UpdateService"; empty is all.
	Action string
	// Count is the number of calls. With 0, earlier faults of the same service
	// and action are removed.
	Count int
	// Error is the code of the answer, such as "ThrottlingException". Empty
	// lets calls through after Delay.
	Error string
	// Message goes with Error; a default if empty.
	Message string
	// Delay, in real time, passes before the answer.
	Delay time.Duration
	// CarriedOut has the call do its work before Error is answered, as if the
	// answer had been lost.
	CarriedOut bool
}

// Limit is the rate at which calls to one action pass. It is a token bucket on
// the server's clock, as with AWS's request quotas.
type Limit struct {
	// Service and Action select calls, as in Fault; both are needed.
	Service, Action string
	// Rate is the number of calls a second that pass in the long run; 0 removes
	// the limit.
	Rate float64
	// Burst is the number of calls that pass at once after a pause; if 0, the
	// calls of one second, at least one.
	Burst int
}

// Fault makes the next calls that match fail or wait. Faults of the same calls
// apply in the order in which they were added. The error wraps ErrNoSuchAction,
// or names the invalid field.
func (s *Server) Fault(f Fault) error {
	if err := s.checkAction(f.Service, f.Action); err != nil {
		return err
	}
	switch {
	case f.Count < 0 || f.Delay < 0:
		return fmt.Errorf("count %d and delay %s must not be negative", f.Count, f.Delay)
	case f.Count > 0 && f.Error == "" && f.Delay == 0:
		return errors.New("a fault needs error or delay")
	}
	s.faults.add(f)
	return nil
}

// Limit throttles an action: calls beyond the rate get ThrottlingException
// "Rate exceeded". The error wraps ErrNoSuchAction, or names the invalid field.
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

// faults are the faults and limits of a server.
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

// take uses one call of the first fault that matches, or one token.
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

// around does the work of a call, unless a fault or a limit prevents it.
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
		return "a fault that was set in the sandbox"
	}
}

// pause waits, or returns the context's error.
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
