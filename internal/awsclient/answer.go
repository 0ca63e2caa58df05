package awsclient

import (
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
)

// CheckList returns an *IncompleteError if an answer lacks the list that was
// asked for. An empty list is there, as [] in JSON, and is not nil: without the
// check, a list that is missing would count as empty.
func CheckList[T any](service, operation, what string, list []T) error {
	if list == nil {
		return Incomplete(service, operation, "a list of "+what)
	}
	return nil
}

// Retryable reports whether an error may be gone when the request is repeated:
// throttling, faults of the service, no connection. The SDK decides.
func Retryable(err error) bool {
	var quota ratelimit.QuotaExceededError
	if (quotaReached{}).IsErrorRetryable(err) == aws.FalseTernary {
		return false
	}
	return errors.As(err, &quota) || retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err) == aws.TrueTernary
}

// Denied reports whether AWS refused a request because a permission is missing.
func Denied(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode() {
	case "AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "NotAuthorized":
		return true
	default:
		return false
	}
}
