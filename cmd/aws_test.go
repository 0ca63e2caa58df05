package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"slipway/cmd/hint"
	"slipway/internal/fault"
)

func TestAWSHint(t *testing.T) {
	api := func(code string) error { return &smithy.GenericAPIError{Code: code} }
	for _, c := range []struct {
		err  error
		want string
	}{
		{&smithyhttp.RequestSendError{Err: errors.New("refused")}, "cannot be reached"},
		{context.DeadlineExceeded, "cannot be reached"},
		{api("AccessDeniedException"), "allow the action"},
		{api("ExpiredTokenException"), "log in to AWS again"},
		{api("UnrecognizedClientException"), "log in to AWS again"},
		{api("ThrottlingException"), "run the same command again"},
		{api("ValidationException"), ""},
		{errors.New("anything"), ""},
		{&fault.InputError{Remedy: "its own"}, "its own"},
	} {
		got := hint.Of(refused(fmt.Errorf("wrapped: %w", c.err)))
		if !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
}
