package sandbox_test

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os/exec"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
	"slipway/internal/testtools"
)

// motoAccount is the account that moto answers for.
const motoAccount = "123456789012"

// motoServer starts moto, which imitates the same services and is kept by other
// people, and returns its URL.
func motoServer(t *testing.T) string {
	t.Helper()
	path := testtools.Require(t, testtools.Moto)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	c := exec.CommandContext(t.Context(), path, "-H", host, "-p", port)
	c.Stdout, c.Stderr = &log, &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill() // it may have ended
		_ = c.Wait()
	})
	awaitHTTP(t, "http://"+addr+"/moto-api/", &log)
	return "http://" + addr
}

// awaitHTTP waits until a URL answers; a Python server takes some seconds.
func awaitHTTP(t *testing.T, url string, log *bytes.Buffer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s does not answer\n%s", url, log)
		}
	}
}

// imitation is one of the two sides of the contract.
type imitation struct {
	url string
	// registry is the host in the URIs of repositories.
	registry string
	ecr      *ecr.Client
	ecs      *ecs.Client
	s3       *s3.Client
}

func newImitation(url, registry string) imitation {
	return imitation{
		url: url, registry: registry,
		ecr: ecr.NewFromConfig(testkit.AWSConfig(url)),
		ecs: ecs.NewFromConfig(testkit.AWSConfig(url)),
		s3:  s3.NewFromConfig(testkit.AWSConfig(url), func(o *s3.Options) { o.UsePathStyle = true }),
	}
}

// step is a call that both sides answer.
type step struct {
	name string
	call func(context.Context, imitation) (any, error)
	// settle is ECS's time to let pass in the sandbox before the call: moto's
	// services are steady at once.
	settle time.Duration
}

// The same calls, in the same order, go to both sides. What they answer must
// agree, field by field, or be listed with the reason.
func TestContractWithMoto(t *testing.T) {
	t.Parallel() // moto starts slowly
	url := motoServer(t)
	s := testkit.StartSandbox(t, sandbox.Options{Account: motoAccount})
	ours := newImitation(s.URL(), s.URL()[len("http://"):])
	theirs := newImitation(url, motoAccount+".dkr.ecr.us-east-1.amazonaws.com")
	for name, contract := range map[string]struct {
		steps       []step
		differences []difference
	}{
		"ECR": {ecrContract(t, s), ecrDifferences},
		"S3":  {s3Contract(), s3Differences},
		"ECS": {ecsContract(), ecsDifferences},
	} {
		t.Run(name, func(t *testing.T) {
			excused := newExcuses(contract.differences)
			for _, step := range contract.steps {
				s.Advance(step.settle)
				excused.compare(t, step.name, seen(t, ours, step), seen(t, theirs, step))
			}
			excused.reportUnused(t)
		})
	}
}
