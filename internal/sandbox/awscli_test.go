package sandbox_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
	"slipway/internal/testtools"
)

// awsCLI returns the path of version 2 of the AWS CLI.
func awsCLI(t *testing.T) string {
	t.Helper()
	return testtools.Require(t, testtools.AWSCLI)
}

// datesAsText is a configuration by which version 1 of the AWS CLI prints times
// as version 2 does.
const datesAsText = "[default]\ncli_timestamp_format = iso8601\n"

// runAWS runs the AWS CLI on a sandbox and returns what it prints.
func runAWS(t *testing.T, path string, s *sandbox.Server, dir string, args ...string) string {
	t.Helper()
	stdout, stderr, err := tryAWS(t, path, s, dir, args...)
	if err != nil {
		t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, stderr)
	}
	return stdout
}

func tryAWS(t *testing.T, path string, s *sandbox.Server, dir string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, []byte(datesAsText), 0o600); err != nil {
		t.Fatal(err)
	}
	// Old versions of the CLI do not know AWS_ENDPOINT_URL.
	c := exec.CommandContext(t.Context(), path, append([]string{"--endpoint-url", s.URL(), "--output", "json"}, args...)...)
	c.Dir = dir
	c.Env = append(s.Env(), "HOME="+dir, "PATH="+os.Getenv("PATH"), "AWS_PAGER=", "AWS_CONFIG_FILE="+config)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err = c.Run()
	return out.String(), errs.String(), err
}

// fieldOf picks a string out of JSON, of the first entry where there is a list.
func fieldOf(t *testing.T, text string, keys ...string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	for _, key := range keys {
		if list, ok := v.([]any); ok && len(list) > 0 {
			v = list[0]
		}
		m, _ := v.(map[string]any)
		v = m[key]
	}
	if list, ok := v.([]any); ok && len(list) > 0 {
		v = list[0]
	}
	got, _ := v.(string)
	return got
}

// The AWS CLI is a client that shares nothing with the Go SDK.
func TestWithTheAWSCLI(t *testing.T) {
	t.Parallel() // each command takes about a second
	path := awsCLI(t)
	s := testkit.StartSandbox(t, sandbox.Options{})
	dir := t.TempDir()
	aws := func(args ...string) string {
		t.Helper()
		return runAWS(t, path, s, dir, args...)
	}
	field := func(text string, keys ...string) string {
		t.Helper()
		return fieldOf(t, text, keys...)
	}

	if got := field(aws("sts", "get-caller-identity"), "Account"); got != "000000000000" {
		t.Errorf("account is %q, want 000000000000", got)
	}
	simulated := aws("iam", "simulate-principal-policy", "--policy-source-arn", "arn:aws:iam::000000000000:user/sandbox", "--action-names", "ecr:PutImage")
	if got := field(simulated, "EvaluationResults", "EvalDecision"); got != "allowed" {
		t.Errorf("simulated: %q, want allowed", got)
	}
	uri := field(aws("ecr", "create-repository", "--repository-name", "web", "--image-scanning-configuration", "scanOnPush=true"), "repository", "repositoryUri")
	if password := strings.TrimSpace(aws("ecr", "get-login-password")); len(password) < 20 {
		t.Errorf("password is %q", password)
	}
	digest := push(t, uri+":one", randomImage(t), login(t, client(s, "us-east-1")))
	described := aws("ecr", "describe-images", "--repository-name", "web")
	if got := field(described, "imageDetails", "imageDigest"); got != digest {
		t.Errorf("described as %s, want %s", got, digest)
	}
	if got := field(described, "imageDetails", "imagePushedAt"); !strings.Contains(got, "T") {
		t.Errorf("pushed at %q, want a date", got)
	}
	manifest := field(aws("ecr", "batch-get-image", "--repository-name", "web", "--image-ids", "imageTag=one"), "images", "imageManifest")
	aws("ecr", "put-image", "--repository-name", "web", "--image-tag", "two", "--image-manifest", manifest)
	if s.Tags("web")["two"] != digest {
		t.Errorf("tags are %v, want %v", s.Tags("web"), digest)
	}
	aws("ecr", "start-lifecycle-policy-preview", "--repository-name", "web", "--lifecycle-policy-text", keepLatest)
	if got := field(aws("ecr", "get-lifecycle-policy-preview", "--repository-name", "web"), "status"); got != "COMPLETE" {
		t.Errorf("preview is %q, want COMPLETE", got)
	}

	objects := objects(t, s, "artifacts")
	sent := strings.Repeat("0123456789abcdef", 9<<16) // 9 MiB: several parts
	file := filepath.Join(dir, "big")
	if err := os.WriteFile(file, []byte(sent), 0o600); err != nil {
		t.Fatal(err)
	}
	aws("s3", "cp", file, "s3://artifacts/path/big")
	if got, _ := fetch(t, objects, &s3.GetObjectInput{Bucket: ptr("artifacts"), Key: ptr("path/big")}); got != sent {
		t.Errorf("%d bytes came out, %d went in", len(got), len(sent))
	}
	aws("s3api", "put-bucket-lifecycle-configuration", "--bucket", "artifacts", "--lifecycle-configuration",
		`{"Rules":[{"ID":"seven","Status":"Enabled","Filter":{"Prefix":""},"Expiration":{"Days":7}}]}`)
	if got := field(aws("s3api", "get-bucket-lifecycle-configuration", "--bucket", "artifacts"), "Rules", "ID"); got != "seven" {
		t.Errorf("rule is %q, want seven", got)
	}
}

func ptr(s string) *string { return &s }
