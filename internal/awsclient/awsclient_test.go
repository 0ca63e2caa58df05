package awsclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

	"slipway/internal/awsclient"
)

// config is an SDK configuration whose calls go to handler.
func config(t *testing.T, handler http.HandlerFunc) aws.Config {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String(server.URL), RetryMaxAttempts: 8,
		Credentials: credentials.NewStaticCredentialsProvider("id", "key", ""),
	}
}

// silent reads the request and holds the answer until the client hangs up.
func silent(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// drip answers with one byte after the other until the client hangs up.
func drip(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
			fmt.Fprint(w, " ")
			w.(http.Flusher).Flush()
		}
	}
}

// TestBoundEndsCalls has calls end that get no answer, or only bytes of one, after two
// attempts, each reported by its service and operation.
func TestBoundEndsCalls(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{"no answer": silent, "one byte after the other": drip} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			c := config(t, handler)
			// Counted here: a request need not arrive in that time.
			c.APIOptions = append(c.APIOptions, func(s *middleware.Stack) error {
				return s.Finalize.Insert(middleware.FinalizeMiddlewareFunc("count", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
					calls.Add(1)
					return next.HandleFinalize(ctx, in)
				}), "Retry", middleware.After)
			})
			var reported []string
			awsclient.Bound(&c, 100*time.Millisecond, func(e *awsclient.TimeoutError) { reported = append(reported, e.Error()) })
			_, err := ecr.NewFromConfig(c).GetAuthorizationToken(t.Context(), nil)
			var late *awsclient.TimeoutError
			if !errors.As(err, &late) || !late.Final {
				t.Fatalf("GetAuthorizationToken: %v, want the final *TimeoutError", err)
			}
			const want = "ECR GetAuthorizationToken: no complete answer within 100ms"
			if late.Error() != want || len(reported) != 1 || reported[0] != want {
				t.Errorf("error %q, reported %q, want both to say %q", late, reported, want)
			}
			if n := calls.Load(); n != 2 {
				t.Errorf("%d attempts, want 2", n)
			}
		})
	}
}

// TestBoundTriesAgain has a call succeed whose second attempt is answered.
func TestBoundTriesAgain(t *testing.T) {
	var calls atomic.Int32
	c := config(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			silent(w, r)
			return
		}
		fmt.Fprint(w, `{"repositories":[{"repositoryName":"shop/web"}]}`)
	})
	awsclient.Bound(&c, time.Second, nil)
	out, err := ecr.NewFromConfig(c).DescribeRepositories(t.Context(), nil)
	if err != nil || len(out.Repositories) != 1 {
		t.Fatalf("DescribeRepositories: %v, %v, want one repository", out, err)
	}
}

// TestBoundEndsLargeAnswers has answers without an end, good ones and errors, fail once
// and name the call.
func TestBoundEndsLargeAnswers(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusBadRequest, http.StatusInternalServerError} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			var sent atomic.Int64
			c := config(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				fmt.Fprint(w, `{"message":"`)
				piece := strings.Repeat("x", 1<<20)
				for range 4 * awsclient.MaxAnswer >> 20 {
					if _, err := io.WriteString(w, piece); err != nil {
						return
					}
					sent.Add(1 << 20)
				}
			})
			awsclient.Bound(&c, time.Minute, nil)
			_, err := ecr.NewFromConfig(c).DescribeRepositories(t.Context(), nil)
			var large *awsclient.SizeError
			if !errors.As(err, &large) || large.Error() != "ECR DescribeRepositories: the answer is larger than 64 MiB" {
				t.Fatalf("DescribeRepositories: %v, want a *SizeError that names the call", err)
			}
			if n := sent.Load(); n > 2*awsclient.MaxAnswer {
				t.Errorf("%d bytes were taken, want few more than %d", n, awsclient.MaxAnswer)
			}
		})
	}
}

// TestBoundKeepsInterrupts has a call of a context that ends fail with the context's
// error, not as if AWS had been slow.
func TestBoundKeepsInterrupts(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := config(t, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		silent(w, r)
	})
	awsclient.Bound(&c, time.Minute, nil)
	_, err := ecr.NewFromConfig(c).GetAuthorizationToken(ctx, nil)
	var late *awsclient.TimeoutError
	if err == nil || errors.As(err, &late) || ctx.Err() == nil {
		t.Fatalf("interrupted call: %v, want the context's error", err)
	}
}

// TestBoundGivesUploadsTime has the limit of an attempt grow with the body of the
// request: 1 MiB may take 16 s more.
func TestBoundGivesUploadsTime(t *testing.T) {
	c := config(t, func(w http.ResponseWriter, r *http.Request) {
		half := make([]byte, 512<<10)
		_, _ = io.ReadFull(r.Body, half)
		time.Sleep(50 * time.Millisecond) // longer than the limit of a call without a body
		_, _ = io.Copy(io.Discard, r.Body)
	})
	awsclient.Bound(&c, time.Millisecond, nil)
	_, err := s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = true }).PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("bucket"), Key: aws.String("key"), Body: strings.NewReader(strings.Repeat("x", 1<<20)),
	})
	if err != nil {
		t.Fatalf("PutObject of 1 MiB: %v", err)
	}
}

// TestBoundEndsCredentials has a provider that never answers end in time.
func TestBoundEndsCredentials(t *testing.T) {
	c := config(t, silent)
	c.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		<-ctx.Done()
		return aws.Credentials{}, ctx.Err()
	})
	awsclient.Bound(&c, 50*time.Millisecond, nil)
	_, err := c.Credentials.Retrieve(t.Context())
	var late *awsclient.TimeoutError
	if !errors.As(err, &late) || late.Error() != "AWS credentials: no complete answer within 100ms" {
		t.Fatalf("Retrieve: %v, want a *TimeoutError that names the credentials and 100ms", err)
	}
}

// TestEachPage reads lists that end, and refuses those that do not.
func TestEachPage(t *testing.T) {
	t.Run("three pages", func(t *testing.T) {
		var tokens []string
		err := awsclient.EachPage("list", func(token *string) (*string, error) {
			tokens = append(tokens, aws.ToString(token))
			next := map[string]string{"": "a", "a": "b"}[aws.ToString(token)]
			return &next, nil
		})
		if got := strings.Join(tokens, ","); err != nil || got != ",a,b" {
			t.Fatalf("read with tokens %q, error %v, want \",a,b\" and none", got, err)
		}
	})
	for name, next := range map[string]func(int) string{
		"the same token":             func(int) string { return "a" },
		"tokens in a circle":         func(n int) string { return string(rune('a' + n%3)) },
		"another token at each page": func(n int) string { return fmt.Sprint(n) },
	} {
		t.Run(name, func(t *testing.T) {
			pages := 0
			err := awsclient.EachPage("ECS ListTasks", func(*string) (*string, error) {
				pages++
				return aws.String(next(pages)), nil
			})
			var endless *awsclient.PagesError
			if !errors.As(err, &endless) || !strings.Contains(err.Error(), "ECS ListTasks") || pages > awsclient.MaxPages {
				t.Fatalf("error %v after %d pages, want a *PagesError that names the list", err, pages)
			}
		})
	}
	t.Run("an error", func(t *testing.T) {
		want := errors.New("denied")
		if err := awsclient.EachPage("list", func(*string) (*string, error) { return nil, want }); !errors.Is(err, want) {
			t.Fatalf("error %v, want %v", err, want)
		}
	})
}

// TestBodyCannotFailAfterItsEnd checks the body that net/http gets: one with WriteTo
// returns io.EOF as an error once the SDK has closed it, and breaks the connection of
// an answer that is still read.
func TestBodyCannotFailAfterItsEnd(t *testing.T) {
	t.Parallel()
	c := config(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") })
	awsclient.Bound(&c, time.Minute, nil)
	sent := 0
	c.HTTPClient = clientFunc(func(r *http.Request) (*http.Response, error) {
		sent++
		if _, ok := r.Body.(io.WriterTo); ok {
			t.Errorf("%T has WriteTo, want Read alone", r.Body)
		}
		return http.DefaultClient.Do(r)
	})
	if _, err := ecr.NewFromConfig(c).DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s3.NewFromConfig(c).PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("b"), Key: aws.String("k"), Body: strings.NewReader("content"),
	}); err != nil {
		t.Fatal(err)
	}
	if sent != 2 {
		t.Errorf("%d requests, want 2", sent)
	}
}

// clientFunc is an HTTP client.
type clientFunc func(*http.Request) (*http.Response, error)

func (f clientFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }
