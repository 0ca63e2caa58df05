package buildspec

import "testing"

func TestUntrusted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		env    Env
		why    string
		number int
	}{
		{Env{}, "", 0},
		{Env{WebhookTrigger: "branch/main", WebhookEvent: "PUSH", SourceVersion: "0123456789abcdef"}, "", 0},
		{Env{WebhookTrigger: "tag/pr/12", SourceVersion: "v1"}, "", 0},
		{Env{SourceVersion: "print/12"}, "", 0},
		{Env{SourceVersion: "pull"}, "", 0},
		{Env{SourceVersion: "pr"}, "", 0},
		{Env{SourceVersion: "x/pr/12"}, "", 0},
		{Env{SourceVersion: "main"}, "", 0},
		{Env{SourceVersion: "refs/pull/7/merge^{1a2b3c4}"}, "CODEBUILD_SOURCE_VERSION is refs/pull/7/merge^{1a2b3c4}", 7},
		{Env{SourceVersion: "mr/smith"}, "", 0},
		{Env{SourceVersion: "refs/pull/x"}, "", 0},
		{Env{SourceVersion: "pr/12x"}, "CODEBUILD_SOURCE_VERSION is pr/12x", 0},
		{Env{SourceVersion: "arn:aws:s3:::artifacts/pr/12"}, "", 0},
		{Env{WebhookTrigger: "pr/12"}, "CODEBUILD_WEBHOOK_TRIGGER is pr/12", 12},
		{Env{SourceVersion: "pr/12"}, "CODEBUILD_SOURCE_VERSION is pr/12", 12},
		{Env{SourceVersion: "refs/pull/7/head"}, "CODEBUILD_SOURCE_VERSION is refs/pull/7/head", 7},
		{Env{SourceVersion: "refs/merge-requests/7/head"}, "CODEBUILD_SOURCE_VERSION is refs/merge-requests/7/head", 7},
		{Env{WebhookTrigger: "pr/12", SourceVersion: "pr/13"}, "CODEBUILD_WEBHOOK_TRIGGER is pr/12", 12},
		{Env{WebhookTrigger: "pr/", SourceVersion: "pr/13"}, "CODEBUILD_SOURCE_VERSION is pr/13", 13},
		{Env{WebhookTrigger: "pr/x", SourceVersion: "abc"}, "CODEBUILD_WEBHOOK_TRIGGER is pr/x", 0},
		{Env{WebhookTrigger: "pr/0"}, "CODEBUILD_WEBHOOK_TRIGGER is pr/0", 0},
		{Env{WebhookTrigger: "pr/99999999999999999999"}, "CODEBUILD_WEBHOOK_TRIGGER is pr/99999999999999999999", 0},
		{Env{WebhookTrigger: "pr/12", WebhookEvent: "PULL_REQUEST_MERGED"}, "CODEBUILD_WEBHOOK_TRIGGER is pr/12", 12},
		{Env{WebhookEvent: "PULL_REQUEST_UPDATED", SourceVersion: "0123456789abcdef"}, "CODEBUILD_WEBHOOK_EVENT is PULL_REQUEST_UPDATED", 0},
		{Env{WebhookTrigger: "mr/3", WebhookEvent: "PULL_REQUEST_CREATED"}, "CODEBUILD_WEBHOOK_TRIGGER is mr/3", 3},
	} {
		if why, number := tt.env.Untrusted(); why != tt.why || number != tt.number {
			t.Errorf("%+v: got %q, %d, want %q, %d", tt.env, why, number, tt.why, tt.number)
		}
	}
}
