package awsclient

import (
	"context"
	"io"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// PlainBody keeps net/http from taking an answered request for a failed one. The
// SDK closes the body of a request when the head of its answer is there, and
// net/http may then still ask the body for bytes after the last one. Read reports
// io.EOF from then on, which ends the body; WriteTo returns io.EOF as an error, for
// which net/http closes the connection before the answer is read. PlainBody hides
// WriteTo. Bound adds it to a configuration.
func PlainBody(stack *middleware.Stack) error {
	hide := func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
		if r, ok := in.Request.(*smithyhttp.Request); ok {
			if body, ok := r.GetStream().(io.ReadSeeker); ok {
				plain, err := r.SetStream(struct{ io.ReadSeeker }{body})
				if err != nil {
					return middleware.FinalizeOutput{}, middleware.Metadata{}, err
				}
				in.Request = plain
			}
		}
		return next.HandleFinalize(ctx, in)
	}
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("SlipwayPlainBody", hide), "Retry", middleware.Before)
}
