package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/moby/buildkit/util/grpcerrors"
	"github.com/moby/moby/client"
	"google.golang.org/grpc/codes"

	"slipway/internal/bounded"
)

// answerLimit is the size of an answer of a Docker engine that is read, in
// bytes. Real ones are a few kilobytes.
const answerLimit = 4 << 20

// askTime bounds one question to a Docker engine that already answered.
const askTime = time.Minute

// idleTime is how long a Docker engine may pause while it sends an image. It
// writes the whole image to its disk before the first byte.
const idleTime = 15 * time.Minute

// get asks a Docker engine and reads the answer up to answerLimit. The client's
// own methods have no limit.
func get(ctx context.Context, c *client.Client, path string, answer any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker"+path, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: answerLimit,
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return c.Dialer()(ctx) },
	}
	response, err := (&http.Client{Transport: transport, CheckRedirect: client.CheckRedirect}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := bounded.Answer(response.Body, answerLimit)
	switch {
	case err != nil:
	case response.StatusCode != http.StatusOK:
		err = errors.New(response.Status)
	default:
		err = json.Unmarshal(text, answer)
	}
	if err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	return nil
}

// within names the time that an engine had, where it was up.
func within(ctx context.Context, limit time.Duration, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("no answer within %s: %w", limit, err)
	case errors.Is(context.Cause(ctx), errGrace) && grpcerrors.Code(err) == codes.Canceled:
		return errGrace
	case errors.Is(context.Cause(ctx), errGrace):
		return fmt.Errorf("%w: %w", errGrace, err)
	default:
		return err
	}
}

// stream is the output of an engine, given up when it pauses for too long. Time
// in which the caller does not read does not count.
type stream struct {
	io.ReadCloser
	limit  time.Duration
	cancel context.CancelCauseFunc
	ctx    context.Context // of the request, to learn why it ended
}

func (s *stream) Read(p []byte) (int, error) {
	timer := time.AfterFunc(s.limit, func() { s.cancel(fmt.Errorf("the Docker engine has sent nothing for %s", s.limit)) })
	defer timer.Stop()
	n, err := s.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && s.ctx.Err() != nil {
		err = context.Cause(s.ctx)
	}
	return n, err
}

func (s *stream) Close() error {
	err := s.ReadCloser.Close()
	s.cancel(nil)
	return err
}
