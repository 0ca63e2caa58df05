package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/name"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

func TestShow(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	client := testkit.ECRClient(s.URL(), "us-east-1")
	for _, repo := range []string{"shop/web", "shop/empty"} {
		if _, err := client.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String(repo), ImageTagMutability: types.ImageTagMutabilityMutable}); err != nil {
			t.Fatal(err)
		}
	}
	const policy = `{"rules":[{"rulePriority":7,"description":"a week","selection":{"tagStatus":"any","countType":"sinceImagePushed","countUnit":"days","countNumber":7},"action":{"type":"expire"}}]}`
	if _, err := client.PutLifecyclePolicy(t.Context(), &ecr.PutLifecyclePolicyInput{RepositoryName: aws.String("shop/web"), LifecyclePolicyText: aws.String(policy)}); err != nil {
		t.Fatal(err)
	}
	addr := strings.TrimPrefix(s.URL(), "http://")
	digest := pushTags(t, client, addr+"/shop/web", "one", "latest")

	var out bytes.Buffer
	if code := run(t.Context(), []string{"show", "--addr", addr}, &out, io.Discard); code != exitDone {
		t.Fatalf("exit code %d, want %v", code, exitDone)
	}
	want := addr + "/shop/empty (MUTABLE)\n  no lifecycle policy\n" +
		addr + "/shop/web (MUTABLE)\n  " + digest[:19] + "  latest, one\n  rule 7    a week\n"
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", out.String(), want)
	}
	if code := run(t.Context(), []string{"show", "extra"}, io.Discard, io.Discard); code != exitUsage {
		t.Errorf("an argument too many: exit code %d", code)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code := run(ctx, []string{"show", "--addr", addr}, io.Discard, io.Discard); code != exitError {
		t.Errorf("interrupted: exit code %d, want %v", code, exitError)
	}
}

// pushTags pushes an image under the tags and returns its digest.
func pushTags(t *testing.T, client *ecr.Client, repo string, tags ...string) string {
	t.Helper()
	repository, err := name.NewRepository(repo)
	if err != nil {
		t.Fatal(err)
	}
	return testkit.PushImage(t, repository, testkit.ECRLogin(t, client), tags...)
}
