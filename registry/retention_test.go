package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/authn"

	"slipway/internal/golden"
	"slipway/internal/testkit"
	"slipway/registry/lifecycle"
)

func putPolicy(t *testing.T, client *ecr.Client, repo Repository, text string) {
	t.Helper()
	_, err := client.PutLifecyclePolicy(t.Context(), &ecr.PutLifecyclePolicyInput{
		RegistryId: aws.String(repo.Account), RepositoryName: aws.String(repo.Name), LifecyclePolicyText: aws.String(text),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func getPolicy(t *testing.T, client *ecr.Client, repo Repository) string {
	t.Helper()
	out, err := client.GetLifecyclePolicy(t.Context(), &ecr.GetLifecyclePolicyInput{
		RegistryId: aws.String(repo.Account), RepositoryName: aws.String(repo.Name),
	})
	var none *types.LifecyclePolicyNotFoundException
	if errors.As(err, &none) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return *out.LifecyclePolicyText
}

func TestApplyRetentionWritesOnlyWhatDiffers(t *testing.T) {
	t.Parallel()
	server, clients := testkit.StartECR(t)
	ref := Ref{Account: testkit.OtherAccount, Region: testkit.OtherRegion, Name: "shop/one"}
	repo := mustCreate(t, server, clients, ref)[ref]
	api := clients(repo.Region)
	apply := func(days int, replace bool, wantPuts int) RetentionResult {
		t.Helper()
		server.ResetCalls()
		result, err := ApplyRetention(t.Context(), api, repo, days, replace)
		if err != nil {
			t.Fatal(err)
		}
		testkit.WantECRCalls(t, server, "GetLifecyclePolicy", 1)
		testkit.WantECRCalls(t, server, "PutLifecyclePolicy", wantPuts)
		if got := getPolicy(t, api, repo); got != result.Outcome.Text {
			t.Errorf("the policy is %s, want %s", got, result.Outcome.Text)
		}
		return result
	}
	if got := apply(7, false, 1); got.Before != "" || !got.Outcome.Changed || got.Repository.Ref != ref {
		t.Errorf("first: %+v", got)
	}
	apply(7, false, 0)
	apply(30, false, 1)
	apply(30, true, 0)

	foreign := foreignPolicy(foreignRule(1, untaggedImages), foreignRule(50, taggedImages("v*")))
	putPolicy(t, api, repo, foreign)
	if got := apply(7, false, 1); len(got.Outcome.Kept) != 2 || got.Before != foreign {
		t.Errorf("besides others: %+v", got)
	}
	apply(7, false, 0)
	if got := apply(7, true, 1); len(got.Outcome.Dropped) != 2 {
		t.Errorf("instead of others: %+v", got)
	}
}

func TestRetentionLeavesConflictsAlone(t *testing.T) {
	t.Parallel()
	server, clients := testkit.StartECR(t)
	ref := Ref{Name: "shop/one"}
	repo := mustCreate(t, server, clients, ref)[ref]
	api := clients("")
	theirs := foreignPolicy(foreignRule(10, taggedImages("latest")), foreignRule(100, anyImage))
	putPolicy(t, api, repo, theirs)
	server.ResetCalls()
	_, errApply := ApplyRetention(t.Context(), api, repo, 7, false)
	_, _, errPreview := PreviewRetention(t.Context(), api, repo, 7, false, Wait{})
	for _, err := range []error{errApply, errPreview} {
		var conflict *lifecycle.ConflictError
		if !errors.As(err, &conflict) || len(conflict.Clashes) != 2 || !strings.Contains(err.Error(), "repository shop/one (account") {
			t.Errorf("got %v, want a ConflictError with two clashes in shop/one", err)
		}
	}
	testkit.WantECRCalls(t, server, "PutLifecyclePolicy", 0)
	testkit.WantECRCalls(t, server, "StartLifecyclePolicyPreview", 0)
	if got := getPolicy(t, api, repo); got != theirs {
		t.Errorf("the policy became %s", got)
	}
}

func TestRetentionNamesTheRepository(t *testing.T) {
	t.Parallel()
	_, clients := testkit.StartECR(t)
	repo := Repository{Ref: Ref{Account: testkit.HomeAccount, Region: testkit.HomeRegion, Name: "shop/gone"}}
	_, err := ApplyRetention(t.Context(), clients(""), repo, 7, false)
	var gone *types.RepositoryNotFoundException
	if !errors.As(err, &gone) || !strings.Contains(err.Error(), "reading the lifecycle policy of shop/gone") {
		t.Errorf("got %v, want RepositoryNotFoundException of shop/gone", err)
	}
}

func digestsIn(t *testing.T, client *ecr.Client, repo Repository) []string {
	t.Helper()
	out, err := client.DescribeImages(t.Context(), &ecr.DescribeImagesInput{
		RegistryId: aws.String(repo.Account), RepositoryName: aws.String(repo.Name),
	})
	if err != nil {
		t.Fatal(err)
	}
	var digests []string
	for _, d := range out.ImageDetails {
		digests = append(digests, *d.ImageDigest)
	}
	return digests
}

// TestRetentionKeepsWhatRuns pushes with a login of Logins, lets days pass,
// and compares what ECR said beforehand with what is then gone.
func TestRetentionKeepsWhatRuns(t *testing.T) {
	t.Parallel()
	server, clients := testkit.StartECR(t)
	ref := Ref{Account: testkit.OtherAccount, Region: testkit.OtherRegion, Name: "shop/one"}
	repo := mustCreate(t, server, clients, ref)[ref]
	api := clients(repo.Region)

	logins := NewLogins(clients, time.Now)
	host := repo.URI.RegistryStr()
	logins.Register(host, repo.Region)
	creds, ok, err := logins.Credentials(t.Context(), host)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	auth := authn.FromConfig(authn.AuthConfig{Username: creds.Username, Password: creds.Password.Reveal()})

	kept := []string{
		testkit.PushImage(t, repo.URI, auth, "latest", "release-1", "aaaaaaaaaaaa"),
		testkit.PushImage(t, repo.URI, auth, "previous-latest", "release-2"),
		testkit.PushImage(t, repo.URI, auth, "buildcache"),
		testkit.PushImage(t, repo.URI, auth, "release-3"), // by the rule of somebody else
	}
	gone := []string{testkit.PushImage(t, repo.URI, auth, "bbbbbbbbbbbb"), testkit.PushImage(t, repo.URI, auth)}

	server.Advance(6 * 24 * time.Hour)
	fresh := testkit.PushImage(t, repo.URI, testkit.ECRLogin(t, api), "cccccccccccc")
	server.Advance(25 * time.Hour)
	one := strings.Replace(foreignRule(5, taggedImages("release-*")), `"countNumber":9`, `"countNumber":1`, 1)
	putPolicy(t, api, repo, foreignPolicy(one)) // would take the first two, had they no protected tag
	server.ResetCalls()
	_, expiries, err := PreviewRetention(t.Context(), api, repo, 7, false, Wait{Interval: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	testkit.WantECRCalls(t, server, "PutLifecyclePolicy", 0)
	var foretold []string
	for _, e := range expiries {
		foretold = append(foretold, e.Digest)
		if e.Rule != 100 || e.PushedAt.IsZero() {
			t.Errorf("foretold %+v", e)
		}
	}
	slices.Sort(gone)
	if slices.Sort(foretold); !slices.Equal(foretold, gone) {
		t.Errorf("foretold %v, want %v", foretold, gone)
	}

	if _, err := ApplyRetention(t.Context(), api, repo, 7, false); err != nil {
		t.Fatal(err)
	}
	server.Advance(time.Second)
	left := digestsIn(t, api, repo)
	for _, digest := range append(kept, fresh) {
		if !slices.Contains(left, digest) {
			t.Errorf("lost %s", digest)
		}
	}
	for _, digest := range gone {
		if slices.Contains(left, digest) {
			t.Errorf("kept %s", digest)
		}
	}
}

// slowPreviewer is busy with somebody else's preview at first, and then takes
// its time.
type slowPreviewer struct {
	busy, pending, started int
	status                 types.LifecyclePolicyPreviewStatus
}

func (s *slowPreviewer) GetLifecyclePolicy(context.Context, *ecr.GetLifecyclePolicyInput, ...func(*ecr.Options)) (*ecr.GetLifecyclePolicyOutput, error) {
	return nil, &types.LifecyclePolicyNotFoundException{}
}

func (s *slowPreviewer) StartLifecyclePolicyPreview(_ context.Context, in *ecr.StartLifecyclePolicyPreviewInput, _ ...func(*ecr.Options)) (*ecr.StartLifecyclePolicyPreviewOutput, error) {
	if s.busy--; s.busy >= 0 {
		return nil, &types.LifecyclePolicyPreviewInProgressException{}
	}
	s.started++
	return &ecr.StartLifecyclePolicyPreviewOutput{LifecyclePolicyText: in.LifecyclePolicyText}, nil
}

func (s *slowPreviewer) GetLifecyclePolicyPreview(_ context.Context, in *ecr.GetLifecyclePolicyPreviewInput, _ ...func(*ecr.Options)) (*ecr.GetLifecyclePolicyPreviewOutput, error) {
	out := &ecr.GetLifecyclePolicyPreviewOutput{Status: s.status}
	if s.pending--; s.pending >= 0 {
		out.Status = types.LifecyclePolicyPreviewStatusInProgress
		return out, nil
	}
	digest, action := "sha256:one", types.ImageActionTypeExpire
	if in.NextToken != nil {
		digest, action = "sha256:two", types.ImageActionTypeTransition
	} else {
		out.NextToken = aws.String("more")
	}
	out.PreviewResults = []types.LifecyclePolicyPreviewResult{
		{ImageDigest: aws.String(digest), Action: &types.LifecyclePolicyRuleAction{Type: action}},
		{ImageDigest: aws.String(digest + "!"), ImageTags: []string{"a"}},
	}
	return out, nil
}

func TestPreviewRetentionWaits(t *testing.T) {
	t.Parallel()
	wait := Wait{Interval: time.Microsecond}
	s := &slowPreviewer{busy: 2, pending: 3, status: types.LifecyclePolicyPreviewStatusComplete}
	result, expiries, err := PreviewRetention(t.Context(), s, Repository{Ref: Ref{Name: "shop"}}, 7, false, wait)
	if err != nil || !result.Outcome.Changed || s.started != 1 {
		t.Fatalf("%+v, %v, started %d times", result, err, s.started)
	}
	var digests []string
	for _, e := range expiries {
		digests = append(digests, e.Digest)
	}
	if want := []string{"sha256:one", "sha256:one!", "sha256:two!"}; !slices.Equal(digests, want) {
		t.Errorf("got %v, want %v", digests, want)
	}
}

func TestPreviewRetentionGivesUp(t *testing.T) {
	t.Parallel()
	const always = 1 << 30
	for name, tc := range map[string]struct {
		client *slowPreviewer
		want   string
	}{
		"somebody else's": {&slowPreviewer{busy: always}, "another preview is in progress"},
		"never complete":  {&slowPreviewer{pending: always}, "previewing the lifecycle policy of shop"},
		"failed":          {&slowPreviewer{status: types.LifecyclePolicyPreviewStatusFailed}, "transitioned to Failure"},
	} {
		t.Run(name, func(t *testing.T) {
			wait := Wait{Interval: time.Millisecond, Limit: 20 * time.Millisecond}
			_, _, err := PreviewRetention(t.Context(), tc.client, Repository{Ref: Ref{Name: "shop"}}, 7, false, wait)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}

func TestPreviewRetentionStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := PreviewRetention(ctx, &slowPreviewer{busy: 1 << 30}, Repository{}, 7, false, Wait{Interval: time.Hour})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestPolicyGolden(t *testing.T) {
	t.Parallel()
	text, err := json.MarshalIndent(retentionPolicy(7, TagDeployed), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "policy-7-days.golden", append(text, '\n'))
}

// foreignRule writes a rule of another tool. The selection is that of anyImage,
// untaggedImages or taggedImages.
func foreignRule(priority int, selection string) string {
	return fmt.Sprintf(`{"rulePriority":%d,"description":"theirs","selection":{%s,"countType":"imageCountMoreThan","countNumber":9},"action":{"type":"expire"}}`, priority, selection)
}

func foreignPolicy(rules ...string) string { return `{"rules":[` + strings.Join(rules, ",") + `]}` }

const (
	untaggedImages = `"tagStatus":"untagged"`
	anyImage       = `"tagStatus":"any"`
)

func taggedImages(pattern string) string {
	return `"tagStatus":"tagged","tagPatternList":["` + pattern + `"]`
}
