// Package awsclient limits the requests of the AWS SDK: the time of each attempt of
// a call, the time that credentials take, the size of an answer and the pages of a
// list. The SDK itself waits for an answer, and reads it, without any limit. It also
// has the error of an answer that lacks a requested item, and keeps a request that was
// answered from failing (PlainBody).
package awsclient

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// DefaultTimeout is the time limit of one attempt of a call, without the time
// that the body of the request takes. AWS's own services answer within seconds.
const DefaultTimeout = 30 * time.Second

// slowestUpload is the lowest rate, in bytes per second, at which the body of a
// request may be sent: the limit of an attempt grows by the time that it takes.
const slowestUpload = 64 << 10

// timedOutAttempts is how many attempts of a call may run into the time limit.
// An endpoint that never answers does so every time, and the SDK's own number
// of attempts would wait for it for minutes.
const timedOutAttempts = 2

// TimeoutError is an attempt of a call that got no complete answer in time, or
// credentials that did not come in time. It hides its cause, the end of a
// context, which would read as an interrupt.
type TimeoutError struct {
	// Service and Operation name the call, such as ECR and PutImage.
	Service, Operation string
	// After is the time limit that passed.
	After time.Duration
	// Final reports whether the call is not tried again.
	Final bool
}

// Error names the call and the time.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("%s %s: no complete answer within %s", e.Service, e.Operation, e.After)
}

// RetryableError reports whether the SDK is to try the call again.
func (e *TimeoutError) RetryableError() bool { return !e.Final }

// Bound gives every call of the clients that are made from c a time limit for
// each attempt, and the credentials one of their own. A call whose second
// attempt runs into the limit fails with a *TimeoutError. report, which may be
// nil, is called for an attempt that timed out and is repeated. An answer larger
// than MaxAnswer is a *SizeError.
func Bound(c *aws.Config, limit time.Duration, report func(*TimeoutError)) {
	c.APIOptions = append(c.APIOptions, func(stack *middleware.Stack) error {
		if err := stack.Finalize.Insert(counter{}, "Retry", middleware.Before); err != nil {
			return err
		}
		return stack.Finalize.Insert(attempts{limit, report}, "Retry", middleware.After)
	}, boundSize, PlainBody)
	if c.Credentials != nil {
		c.Credentials = credentials{c.Credentials, limit}
	}
}

type countKey struct{}

// counter gives each call a count of its attempts that timed out.
type counter struct{}

func (counter) ID() string { return "SlipwayTimeoutCounter" }

func (counter) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	return next.HandleFinalize(context.WithValue(ctx, countKey{}, new(int)), in)
}

// attempts ends each attempt of a call in time.
type attempts struct {
	limit  time.Duration
	report func(*TimeoutError)
}

func (attempts) ID() string { return "SlipwayAttemptTimeout" }

func (a attempts) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (out middleware.FinalizeOutput, metadata middleware.Metadata, err error) {
	limit := a.limit + sendTime(in.Request)
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	out, metadata, err = next.HandleFinalize(within, in)
	if err == nil || ctx.Err() != nil || !errors.Is(within.Err(), context.DeadlineExceeded) {
		return out, metadata, err
	}
	count := ctx.Value(countKey{}).(*int)
	*count++
	late := &TimeoutError{
		Service: awsmiddleware.GetServiceID(ctx), Operation: awsmiddleware.GetOperationName(ctx),
		After: limit, Final: *count >= timedOutAttempts,
	}
	if a.report != nil && !late.Final {
		a.report(late)
	}
	return out, metadata, late
}

// sendTime is the longest time that the body of a request may take.
func sendTime(request any) time.Duration {
	r, ok := request.(*smithyhttp.Request)
	if !ok || r.ContentLength <= 0 {
		return 0
	}
	return time.Duration(r.ContentLength/slowestUpload) * time.Second
}

// credentials ends a provider in time: it may ask an endpoint, or run a program.
type credentials struct {
	aws.CredentialsProvider
	limit time.Duration
}

// Retrieve fails with a *TimeoutError when the provider does not answer in time.
func (c credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	within, cancel := context.WithTimeout(ctx, timedOutAttempts*c.limit)
	defer cancel()
	found, err := c.CredentialsProvider.Retrieve(within)
	if err != nil && ctx.Err() == nil && errors.Is(within.Err(), context.DeadlineExceeded) {
		return found, &TimeoutError{Service: "AWS", Operation: "credentials", After: timedOutAttempts * c.limit, Final: true}
	}
	return found, err
}
