package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
	"slipway/registry/lifecycle"
)

type policyReader interface {
	GetLifecyclePolicy(context.Context, *ecr.GetLifecyclePolicyInput, ...func(*ecr.Options)) (*ecr.GetLifecyclePolicyOutput, error)
}

// policyClient is the part of ECR that applying a policy needs.
type policyClient interface {
	policyReader
	PutLifecyclePolicy(context.Context, *ecr.PutLifecyclePolicyInput, ...func(*ecr.Options)) (*ecr.PutLifecyclePolicyOutput, error)
}

// previewClient is the part of ECR that previewing a policy needs.
type previewClient interface {
	policyReader
	StartLifecyclePolicyPreview(context.Context, *ecr.StartLifecyclePolicyPreviewInput, ...func(*ecr.Options)) (*ecr.StartLifecyclePolicyPreviewOutput, error)
	GetLifecyclePolicyPreview(context.Context, *ecr.GetLifecyclePolicyPreviewInput, ...func(*ecr.Options)) (*ecr.GetLifecyclePolicyPreviewOutput, error)
}

// retentionPolicy returns the policy that keeps the images of the protected
// tags and expires all others a number of days after their push. Of the caches
// it keeps those of several platforms and no more. further are patterns of more
// tags to keep.
func retentionPolicy(days int, further ...string) lifecycle.Policy {
	policy := lifecycle.New(days, append(protectedPatterns(), further...)...)
	for i, rule := range policy.Rules {
		if slices.Equal(rule.Selection.TagPatterns, []string{cachePattern}) {
			policy.Rules[i].Selection.CountNumber = cacheImages
		}
	}
	return policy
}

// cacheImages is how many images of caches a repository keeps. Of more, the
// oldest expire.
const cacheImages = 8

// merge returns a repository's policy with Slipway's rules. The tag that earlier
// versions protected keeps its rule where rules of others leave room for it.
func merge(before string, days int, replace bool) (lifecycle.Outcome, error) {
	out, err := lifecycle.Merge(before, retentionPolicy(days, TagDeployed), replace)
	if err == nil {
		return out, nil
	}
	return lifecycle.Merge(before, retentionPolicy(days), replace)
}

// ReadPolicies reads the lifecycle policy of each repository, with one
// GetLifecyclePolicy each, all at once. A policy that cannot be understood is
// not an error: its dispositions are Unknown.
func ReadPolicies(ctx context.Context, clients Clients, repos []Repository) (map[Ref]lifecycle.Policy, error) {
	repos = DistinctRepositories(repos)
	texts := make([]string, len(repos))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(MaxCalls)
	for i, repo := range repos {
		g.Go(func() (err error) {
			texts[i], err = readPolicy(ctx, clients(repo.Region), repo)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	out := map[Ref]lifecycle.Policy{}
	for i, repo := range repos {
		out[repo.Ref] = lifecycle.Parse(texts[i])
	}
	return out, nil
}

// readPolicy reads the text of a repository's policy, empty where it has none.
func readPolicy(ctx context.Context, client policyReader, repo Repository) (string, error) {
	found, err := client.GetLifecyclePolicy(ctx, &ecr.GetLifecyclePolicyInput{
		RegistryId:     repo.Ref.RegistryID(),
		RepositoryName: aws.String(repo.Name),
	})
	var none *types.LifecyclePolicyNotFoundException
	switch {
	case errors.As(err, &none):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("reading the lifecycle policy of %s: %w", repo.Ref, err)
	}
	if aws.ToString(found.LifecyclePolicyText) == "" {
		// Taken for no policy, rules of others would be overwritten.
		return "", awsclient.Incomplete("ECR", "GetLifecyclePolicy", "the lifecycle policy of "+repo.Ref.String())
	}
	return *found.LifecyclePolicyText, nil
}

// RetentionResult says what became, or would become, of a repository's policy.
type RetentionResult struct {
	// Repository is the one it is about.
	Repository Repository
	// Before is the text of the policy found, empty where there was none.
	Before string
	// Managed reports whether the policy found has Slipway's age rule: the
	// repository's images expire by Slipway's rules already.
	Managed bool
	// Outcome is the merged policy. Outcome.Changed reports whether it was
	// written, or in a preview, whether it would be.
	Outcome lifecycle.Outcome
}

// ApplyRetention ensures that repo keeps the protected tags and expires
// the rest days after their push. It writes only if the policy differs. The
// error wraps a *ConflictError when rules of other tools are in the way;
// then, and on every other error of Merge, nothing was written.
func ApplyRetention(ctx context.Context, client policyClient, repo Repository, days int, replace bool) (RetentionResult, error) {
	result, err := mergeRetention(ctx, client, repo, days, replace)
	if err != nil || !result.Outcome.Changed {
		return result, err
	}
	out, err := client.PutLifecyclePolicy(ctx, &ecr.PutLifecyclePolicyInput{
		RegistryId:          aws.String(repo.Account),
		RepositoryName:      aws.String(repo.Name),
		LifecyclePolicyText: aws.String(result.Outcome.Text),
	})
	if err == nil && aws.ToString(out.LifecyclePolicyText) == "" {
		err = awsclient.Incomplete("ECR", "PutLifecyclePolicy", "the lifecycle policy")
	}
	if err != nil {
		return result, fmt.Errorf("writing the lifecycle policy of %s: %w", repo.Ref, err)
	}
	return result, nil
}

// ReadRetention returns the result that ApplyRetention would have, and writes
// nothing. Errors are those of ApplyRetention.
func ReadRetention(ctx context.Context, client policyReader, repo Repository, days int, replace bool) (RetentionResult, error) {
	return mergeRetention(ctx, client, repo, days, replace)
}

func mergeRetention(ctx context.Context, client policyReader, repo Repository, days int, replace bool) (RetentionResult, error) {
	result := RetentionResult{Repository: repo}
	var err error
	if result.Before, err = readPolicy(ctx, client, repo); err != nil {
		return result, err
	}
	result.Managed = lifecycle.Managed(result.Before)
	if result.Outcome, err = merge(result.Before, days, replace); err != nil {
		return result, fmt.Errorf("repository %s: %w", repo.Ref, err)
	}
	return result, nil
}

// Expiry is an image that a policy would expire.
type Expiry struct {
	// Digest names the image, as sha256:….
	Digest string
	// Tags holds its tags, none for an untagged image.
	Tags []string
	// PushedAt is when it was pushed, from which its age counts.
	PushedAt time.Time
	// Rule is the number of the rule that would take it.
	Rule int
}

// Wait says how to wait for ECR. Zero values mean the defaults.
type Wait struct {
	// Interval is the pause between two questions, 2 seconds by default. It
	// grows up to five times while nothing changes.
	Interval time.Duration
	// Limit bounds the whole wait, 5 minutes by default.
	Limit time.Duration
}

func (w Wait) withDefaults() Wait {
	if w.Interval <= 0 {
		w.Interval = 2 * time.Second
	}
	if w.Limit <= 0 {
		w.Limit = 5 * time.Minute
	}
	return w
}

// PreviewRetention asks ECR which images the policy that ApplyRetention would
// write expires now, and writes nothing. Errors are those of ApplyRetention,
// and one for a preview that failed or took longer than wait allows.
func PreviewRetention(ctx context.Context, client previewClient, repo Repository, days int, replace bool, wait Wait) (RetentionResult, []Expiry, error) {
	result, err := mergeRetention(ctx, client, repo, days, replace)
	if err != nil {
		return result, nil, err
	}
	wait = wait.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, wait.Limit)
	defer cancel()
	if err = startPreview(ctx, client, repo, result.Outcome.Text, wait); err == nil {
		err = awaitPreview(ctx, client, repo, wait)
	}
	if err != nil {
		return result, nil, fmt.Errorf("previewing the lifecycle policy of %s: %w", repo.Ref, err)
	}
	expiries, err := readPreview(ctx, client, repo)
	return result, expiries, err
}

// startPreview begins a preview, after the one that somebody else may have
// under way: ECR runs one at a time for each repository.
func startPreview(ctx context.Context, client previewClient, repo Repository, text string, wait Wait) error {
	for {
		_, err := client.StartLifecyclePolicyPreview(ctx, &ecr.StartLifecyclePolicyPreviewInput{
			RegistryId:          aws.String(repo.Account),
			RepositoryName:      aws.String(repo.Name),
			LifecyclePolicyText: aws.String(text),
		})
		var busy *types.LifecyclePolicyPreviewInProgressException
		if !errors.As(err, &busy) {
			return err
		}
		if err := pause(ctx, wait.Interval); err != nil {
			return fmt.Errorf("another preview is in progress: %w", err)
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

func awaitPreview(ctx context.Context, client previewClient, repo Repository, wait Wait) error {
	waiter := ecr.NewLifecyclePolicyPreviewCompleteWaiter(client, func(o *ecr.LifecyclePolicyPreviewCompleteWaiterOptions) {
		o.MinDelay, o.MaxDelay = wait.Interval, 5*wait.Interval
	})
	return waiter.Wait(ctx, previewInput(repo), wait.Limit)
}

func previewInput(repo Repository) *ecr.GetLifecyclePolicyPreviewInput {
	return &ecr.GetLifecyclePolicyPreviewInput{
		RegistryId:     aws.String(repo.Account),
		RepositoryName: aws.String(repo.Name),
	}
}

func readPreview(ctx context.Context, client previewClient, repo Repository) ([]Expiry, error) {
	var expiries []Expiry
	in := previewInput(repo)
	err := awsclient.EachPage("ECR GetLifecyclePolicyPreview", func(token *string) (*string, error) {
		in.NextToken = token
		page, err := client.GetLifecyclePolicyPreview(ctx, in)
		if err != nil {
			return nil, err
		}
		if page.Status != types.LifecyclePolicyPreviewStatusComplete {
			return nil, awsclient.Incomplete("ECR", "GetLifecyclePolicyPreview", "a status of COMPLETE")
		}
		for _, r := range page.PreviewResults {
			if r.Action != nil && r.Action.Type != types.ImageActionTypeExpire {
				continue // another one's rule that archives
			}
			expiries = append(expiries, Expiry{
				Digest:   aws.ToString(r.ImageDigest),
				Tags:     r.ImageTags,
				PushedAt: aws.ToTime(r.ImagePushedAt),
				Rule:     int(aws.ToInt32(r.AppliedRulePriority)),
			})
		}
		return page.NextToken, nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the preview of %s: %w", repo.Ref, err)
	}
	return expiries, nil
}
