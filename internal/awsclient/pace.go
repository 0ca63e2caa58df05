package awsclient

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// How often the SDK tries a call that was throttled or cut off, and the longest
// pause between two tries: some fifteen seconds in all.
const (
	maxAttempts = 8
	maxBackoff  = 5 * time.Second
)

// The pace of the calls of an operation, in calls a second, once AWS has throttled
// one. It begins with the rate of PutImage that ECR allows an account ("Amazon ECR
// service quotas"), and each throttled call that was sent at the new pace slows it
// down. Calls that succeed let it rise by one in a second.
const (
	firstPace = 10
	leastPace = 0.5
	slowDown  = 0.7
)

// paced is a retryer that sends calls at once until AWS throttles one. Then it
// spaces the calls of the same operation, of which other jobs of the account may
// send some, too. The SDK's adaptive mode spaces all calls of a client, and starts
// with one in two seconds: where ECR allows ten PutImage a second, seventeen took
// 5.7 s that way and 1.3 s this way.
type paced struct {
	*retry.Standard
	mu         sync.Mutex
	operations map[string]*pace
}

// pace is that of one operation.
type pace struct {
	rate float64   // calls a second; 0 until one was throttled
	next time.Time // when the next call may be sent
	last time.Time // when the rate fell
}

// newRetryer returns the retryer of a client. The SDK's budget of retries is left
// out: it would end a large project in the middle.
func newRetryer() aws.Retryer {
	return &paced{
		Standard: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxBackoff, o.RateLimiter = maxBackoff, ratelimit.None
			o.Retryables = append([]retry.IsErrorRetryable{quotaReached{}}, o.Retryables...)
		}),
		operations: map[string]*pace{},
	}
}

// GetAttemptToken waits until the call of ctx may be sent. The function that it
// returns is called with the result of the call.
func (p *paced) GetAttemptToken(ctx context.Context) (func(error) error, error) {
	operation := awsmiddleware.GetOperationName(ctx)
	timer := time.NewTimer(p.wait(operation))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	sent := time.Now()
	return func(err error) error {
		p.answered(operation, sent, err)
		return nil
	}, nil
}

// wait takes the next place of an operation, and returns how long it is until then.
func (p *paced) wait(operation string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.operations[operation]
	if o == nil {
		return 0
	}
	now := time.Now()
	if o.next.Before(now) {
		o.next = now
	}
	at := o.next
	o.next = at.Add(o.pause())
	return at.Sub(now)
}

// pause is the time from one call to the next.
func (o *pace) pause() time.Duration { return time.Duration(float64(time.Second) / o.rate) }

// answered adapts the pace of an operation to the result of a call.
func (p *paced) answered(operation string, sent time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.operations[operation]
	switch {
	case throttled(err) && o == nil:
		now := time.Now()
		p.operations[operation] = &pace{rate: firstPace, next: now.Add(time.Second / firstPace), last: now}
	case throttled(err) && sent.After(o.last):
		o.rate, o.last = max(leastPace, o.rate*slowDown), time.Now()
	case err == nil && o != nil:
		o.rate += 1 / o.rate
	}
}

// throttled reports whether AWS refused a call because too many were sent.
func throttled(err error) bool {
	return retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err).Bool() &&
		(quotaReached{}).IsErrorRetryable(err) != aws.FalseTernary
}
