package awsclient

import (
	"context"
	"errors"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"slipway/internal/fault"
)

// KindOf returns the kind of an error. The SDK's own errors have none.
func KindOf(err error) fault.Kind {
	var (
		api smithy.APIError
		op  *smithy.OperationError
	)
	kind := fault.KindOf(err)
	if kind == fault.Other && (errors.As(err, &api) || errors.As(err, &op)) {
		return fault.AWS
	}
	return kind
}

// Unreachable reports whether there was no answer at all.
func Unreachable(err error) bool {
	var unsent *smithyhttp.RequestSendError
	var late *TimeoutError
	return errors.As(err, &unsent) || errors.As(err, &late) || errors.Is(err, context.DeadlineExceeded)
}
