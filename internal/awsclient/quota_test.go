package awsclient

import (
	"testing"

	"github.com/aws/smithy-go"
)

// TestQuotaIsNotThrottling: a quota that is reached is not tried again, throttling is.
func TestQuotaIsNotThrottling(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{"LimitExceededException": false, "ThrottlingException": true, "ServerException": false} {
		err := &smithy.GenericAPIError{Code: code}
		if got := newRetryer().IsErrorRetryable(err); got != want {
			t.Errorf("the retryer retries %s: %v, want %v", code, got, want)
		}
		if got := Retryable(err); got != want {
			t.Errorf("Retryable(%s) = %v, want %v", code, got, want)
		}
	}
}
