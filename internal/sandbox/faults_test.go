package sandbox_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

func TestFaultsInTheirOrder(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	for _, f := range []sandbox.Fault{
		{Service: "ecr", Action: "DescribeRepositories", Count: 2, Error: "ThrottlingException"},
		{Count: 1, Error: "ServerException", Message: "try later"},
		{Service: "logs", Count: 9, Error: "NotForECR"},
	} {
		if err := s.Fault(f); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []string{"ThrottlingException", "ThrottlingException", "ServerException", ""} {
		_, err := c.DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{})
		if want == "" {
			if err != nil {
				t.Errorf("call %d: %v", i, err)
			}
			continue
		}
		wantCode(t, err, want)
	}
	var statuses []int
	for _, call := range s.Calls() {
		statuses = append(statuses, call.Status)
	}
	if len(statuses) != 4 || statuses[0] != 400 || statuses[2] != 500 || statuses[3] != 200 {
		t.Errorf("statuses are %v, want 400, 400, 500, 200", statuses)
	}
}

func TestFaultTakenBack(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	for _, count := range []int{5, 0} {
		if err := s.Fault(sandbox.Fault{Service: "ecr", Count: count, Error: "AccessDeniedException"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client(s, "us-east-1").DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{}); err != nil {
		t.Error(err)
	}
}

// The answer to a call that was carried out can be lost.
func TestFaultAfterTheWork(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	if err := s.Fault(sandbox.Fault{Action: "CreateRepository", Count: 2, Error: "ServiceUnavailable", CarriedOut: true}); err != nil {
		t.Fatal(err)
	}
	name := "web"
	_, err := client(s, "us-east-1").CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: &name})
	wantCode(t, err, "ServiceUnavailable")
	if s.Tags(name) == nil {
		t.Error("the repository was not created")
	}
	// What the work itself complains of is said instead.
	_, err = client(s, "us-east-1").CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: &name})
	wantCode(t, err, "RepositoryAlreadyExistsException")
}

func TestDelayEndsWithTheCaller(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	if err := s.Fault(sandbox.Fault{Count: 1, Delay: time.Hour}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := client(s, "us-east-1").DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the caller's deadline", err)
	}
}

// The clock is moved to fill the bucket; what passes in the test itself is too
// little to matter at one call in a minute.
func TestLimit(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	if err := s.Limit(sandbox.Limit{Service: "ecr", Action: "DescribeRepositories", Rate: 1.0 / 60, Burst: 2}); err != nil {
		t.Fatal(err)
	}
	let := func() (n int) {
		for range 4 {
			if _, err := c.DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{}); err == nil {
				n++
			} else {
				wantCode(t, err, "ThrottlingException")
			}
		}
		return n
	}
	if n := let(); n != 2 {
		t.Errorf("%d of 4 came through, want the burst of 2", n)
	}
	s.Advance(time.Minute)
	if n := let(); n != 1 {
		t.Errorf("%d of 4 came through after a minute, want 1", n)
	}
	if err := s.Limit(sandbox.Limit{Service: "ecr", Action: "DescribeRepositories"}); err != nil {
		t.Fatal(err)
	}
	if n := let(); n != 4 {
		t.Errorf("%d of 4 came through without a limit", n)
	}
}

func TestTroubleThatMakesNoSense(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	for _, test := range []struct {
		query  string
		status int
		says   string
	}{
		{"fault?service=ecr&action=PutImage&count=1&error=ThrottlingException", 204, ""},
		{"fault?service=logs&delay=1ms&carried-out=true", 204, ""},
		{"limit?service=ecr&action=PutImage&rate=0.5&burst=3", 204, ""},
		{"fault?service=s3&error=SlowDown", 400, "must be one of ecr, "},
		{"fault?service=logs&action=PutImage&error=X", 400, `"PutImage" of service "logs"`},
		{"fault?action=PutImages&error=X", 400, `"PutImages"`},
		{"fault?service=ecr", 400, "a fault needs error or delay"},
		{"fault?count=-1&error=X", 400, "not be negative"},
		{"fault?count=many&error=X", 400, `count is "many"`},
		{"fault?delay=later", 400, `delay is "later"`},
		{"fault?error=X&carried-out=perhaps", 400, `carried-out is "perhaps"`},
		{"limit?service=ecr&rate=1", 400, "service and action are needed"},
		{"limit?service=ecr&action=PutImages&rate=1", 400, "no such action"},
		{"limit?service=ecr&action=PutImage&rate=fast", 400, `rate is "fast"`},
		{"limit?service=ecr&action=PutImage&rate=NaN", 400, "not be negative"},
		{"limit?service=ecr&action=PutImage&rate=1&burst=x", 400, `burst is "x"`},
	} {
		t.Run(test.query, func(t *testing.T) {
			if body := post(t, s.URL()+"/_sandbox/"+test.query, test.status); !strings.Contains(body, test.says) {
				t.Errorf("said %q, want %q", body, test.says)
			}
		})
	}
	if err := s.Fault(sandbox.Fault{Service: "nope", Error: "X", Count: 1}); !errors.Is(err, sandbox.ErrNoSuchAction) {
		t.Errorf("got %v, want ErrNoSuchAction", err)
	}
}
