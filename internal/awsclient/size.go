package awsclient

import (
	"context"
	"fmt"
	"io"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// MaxAnswer is the largest answer of AWS that Slipway reads, in bytes. The largest
// that it asks for are the manifests of 100 images, most of them of a few KiB.
const MaxAnswer = 64 << 20

// SizeError is an answer of AWS that is larger than MaxAnswer. It is not tried again.
type SizeError struct {
	// Service and Operation name the call, such as ECR and BatchGetImage.
	Service, Operation string
}

// Error names the call and the limit.
func (e *SizeError) Error() string {
	return fmt.Sprintf("%s %s: the answer is larger than %d MiB", e.Service, e.Operation, MaxAnswer>>20)
}

// Hint returns the remedy.
func (e *SizeError) Hint() string { return "check the proxies and endpoints on the way to AWS" }

// RetryableError reports false.
func (e *SizeError) RetryableError() bool { return false }

// boundSize bounds the body of each answer, which the SDK reads whole.
func boundSize(stack *middleware.Stack) error {
	bound := func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		if response, ok := out.RawResponse.(*smithyhttp.Response); ok && response.Body != nil {
			large := &SizeError{awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx)}
			response.Body = &boundedBody{response.Body, MaxAnswer, large}
		}
		return out, metadata, err
	}
	// The last one is the first that sees the answer.
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("SlipwayAnswerSize", bound), middleware.After)
}

// boundedBody fails with large when more than left bytes are read.
type boundedBody struct {
	io.ReadCloser
	left  int64
	large error
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, b.large
	}
	return n, err
}
