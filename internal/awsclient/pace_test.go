package awsclient

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdkcredentials "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

// quota answers like ECR, which allows a number of calls of PutImage at once and
// so many more in a second. The time is that of a synctest bubble.
type quota struct {
	burst, perSecond int
	start            time.Time
	put, refused     atomic.Int32
}

func (q *quota) Do(r *http.Request) (*http.Response, error) {
	status, body := http.StatusOK, `{"image":{"imageId":{"imageDigest":"sha256:0"}}}`
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "PutImage") {
		allowed := q.burst + int(time.Since(q.start).Seconds()*float64(q.perSecond))
		if int(q.put.Add(1)) > allowed {
			q.put.Add(-1)
			q.refused.Add(1)
			status, body = http.StatusBadRequest, `{"__type":"ThrottlingException","message":"Rate exceeded"}`
		}
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// client returns a client of ECR whose calls q answers.
func (q *quota) client() *ecr.Client {
	q.start = time.Now()
	c := aws.Config{
		Region: "eu-west-1", HTTPClient: q, RetryMaxAttempts: maxAttempts, Retryer: newRetryer,
		Credentials: sdkcredentials.NewStaticCredentialsProvider("id", "key", ""),
	}
	return ecr.NewFromConfig(c)
}

func put(t *testing.T, client *ecr.Client) {
	t.Helper()
	in := &ecr.PutImageInput{RepositoryName: aws.String("shop/web"), ImageManifest: aws.String("{}")}
	if _, err := client.PutImage(t.Context(), in); err != nil {
		t.Errorf("PutImage: %v", err)
	}
}

// TestThrottledCallsArePaced sends more calls at once than are allowed. All succeed,
// though each has eight attempts, and few are refused.
func TestThrottledCallsArePaced(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ calls, burst, perSecond, refused int }{
		"allowed":        {40, 40, 10, 0},
		"the default":    {24, 10, 10, 20},
		"a busy account": {40, 2, 2, 60},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := &quota{burst: c.burst, perSecond: c.perSecond}
				client := q.client()
				var all sync.WaitGroup
				for range c.calls {
					all.Go(func() { put(t, client) })
				}
				all.Wait()
				took := time.Since(q.start)
				t.Logf("%d calls took %s, refused %d", c.calls, took, q.refused.Load())
				if n := q.refused.Load(); n > int32(c.refused) {
					t.Errorf("%d calls were refused, want at most %d", n, c.refused)
				}
				if c.refused == 0 && took > 0 {
					t.Errorf("%d calls took %s, want no pause between calls that are allowed", c.calls, took)
				}
			})
		})
	}
}

// TestPaceIsOfOneOperation throttles PutImage: the next one waits, and other calls do
// not. A wait ends with its context.
func TestPaceIsOfOneOperation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &quota{burst: 1, perSecond: 1000}
		client := q.client()
		put(t, client)
		put(t, client) // throttled, and tried again
		before := time.Now()
		if _, err := client.GetAuthorizationToken(t.Context(), nil); err != nil || time.Since(before) > 0 {
			t.Errorf("GetAuthorizationToken took %s (error %v), want no wait for the pace of PutImage", time.Since(before), err)
		}
		for range 5 {
			put(t, client)
		}
		if took := time.Since(before); took == 0 {
			t.Error("five calls of PutImage took no time, want pauses between them after one was throttled")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		sent := q.put.Load()
		if _, err := client.PutImage(ctx, &ecr.PutImageInput{RepositoryName: aws.String("shop/web"), ImageManifest: aws.String("{}")}); err == nil || q.put.Load() != sent {
			t.Errorf("PutImage of a canceled context: error %v after %d calls, want an error and none", err, q.put.Load()-sent)
		}
	})
}

// TestPaceFallsOnceForCallsUnderWay: calls that were sent before the pace fell say
// nothing of it.
func TestPaceFallsOnceForCallsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &quota{}
		p := newRetryer().(*paced)
		sent := time.Now()
		_, refused := q.client().PutImage(t.Context(), &ecr.PutImageInput{RepositoryName: aws.String("shop/web"), ImageManifest: aws.String("{}")}, func(o *ecr.Options) { o.RetryMaxAttempts = 1 })
		for range 5 {
			p.answered("PutImage", sent, refused)
		}
		if got := p.operations["PutImage"].rate; got != firstPace {
			t.Errorf("after five throttled calls that were sent at once, the pace is %g, want %d", got, firstPace)
		}
		time.Sleep(time.Second)
		p.answered("PutImage", time.Now().Add(-time.Millisecond), refused)
		if got := p.operations["PutImage"].rate; got != firstPace*slowDown {
			t.Errorf("after one more, the pace is %g, want %g", got, firstPace*slowDown)
		}
		for range 100 {
			time.Sleep(time.Second)
			p.answered("PutImage", time.Now().Add(-time.Millisecond), refused)
		}
		if got := p.operations["PutImage"].rate; got != leastPace {
			t.Errorf("after many, the pace is %g, want %g", got, leastPace)
		}
		p.answered("PutImage", time.Now(), nil)
		if got := p.operations["PutImage"].rate; got <= leastPace {
			t.Errorf("after a call that succeeded, the pace is %g, want more than %g", got, leastPace)
		}
	})
}
