package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"golang.org/x/sync/errgroup"
)

// Further values of a rule, beside those that Slipway writes.
// Source: "Lifecycle policy properties in Amazon ECR" in the ECR user guide.
const (
	countTransitioned = "sinceImageTransitioned"
	classArchive      = "archive"
	actionTransition  = "transition"
)

// maxDays is the longest age that can be told: more is beyond a time.Duration.
const maxDays = int(math.MaxInt64 / (24 * time.Hour))

// Lifecycle is what a repository's lifecycle policy does to its images. The zero value
// is no policy: every image stays.
type Lifecycle struct {
	// rules are in the order of their numbers.
	rules []Rule
	// unread says why the policy could not be understood.
	unread error
}

// Disposition says what becomes of an image.
type Disposition string

// The verdicts.
const (
	// Stays: no rule takes the image as it is tagged now.
	Stays Disposition = "stays"
	// Expires: it is deleted at the time told.
	Expires Disposition = "expires"
	// Archives: it goes to the archive at the time told, and cannot be pulled then.
	Archives Disposition = "archives"
	// Unknown: that hangs on other images, on pulls, or on a rule of a kind not known
	// here.
	Unknown Disposition = "unknown"
)

// Lifecycles reads the lifecycle policy of each repository, with one GetLifecyclePolicy
// each, all at once. A policy that cannot be understood is no error: its verdicts are
// Unknown.
func Lifecycles(ctx context.Context, clients Clients, repos []Repository) (map[Ref]Lifecycle, error) {
	repos = distinctRepositories(repos)
	texts := make([]string, len(repos))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxCalls)
	for i, repo := range repos {
		g.Go(func() (err error) {
			texts[i], err = readPolicy(ctx, clients(repo.Region), repo)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	out := map[Ref]Lifecycle{}
	for i, repo := range repos {
		out[repo.Ref] = ParseLifecycle(texts[i])
	}
	return out, nil
}

// readPolicy reads the text of a repository's policy, empty where it has none.
func readPolicy(ctx context.Context, client policyReader, repo Repository) (string, error) {
	found, err := client.GetLifecyclePolicy(ctx, &ecr.GetLifecyclePolicyInput{
		RegistryId:     registryID(repo.Ref),
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
		return "", incomplete("GetLifecyclePolicy", "the lifecycle policy of %s", repo.Ref)
	}
	return *found.LifecyclePolicyText, nil
}

// ParseLifecycle reads the text of a policy; empty text is no policy. What cannot be
// understood makes every verdict Unknown.
func ParseLifecycle(text string) Lifecycle {
	if text == "" {
		return Lifecycle{}
	}
	var d Document
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return Lifecycle{unread: err}
	}
	slices.SortStableFunc(d.Rules, func(a, b Rule) int { return cmp.Compare(a.Priority, b.Priority) })
	for _, r := range d.Rules {
		if err := checkSelection(r.Selection); err != nil {
			return Lifecycle{unread: fmt.Errorf("%s: %w", r, err)}
		}
	}
	return Lifecycle{rules: d.Rules}
}

// ByTag tells when an image goes, as it is tagged now. ECR carries that out within a day of
// it. Of the rules that select the image only the one with the lowest number counts, since
// those with higher numbers cannot take what it selects ("How lifecycle policies work" in
// the ECR user guide); whether it is its turn yet makes no difference. The time is zero
// but with Expires and Archives. That an index holds an image, which then stays as long
// as the index, is for the caller to know.
func (l Lifecycle) At(image ImageDetail) (time.Time, Disposition) {
	if l.unread != nil {
		return time.Time{}, Unknown
	}
	for _, rule := range l.rules {
		if c := rule.Selection.StorageClass; c != "" && c != classStandard && c != classArchive {
			return time.Time{}, Unknown
		}
		if rule.Selection.selects(image) {
			return rule.at(image)
		}
	}
	return time.Time{}, Stays
}

// selects tells whether a rule is about an image, by its tags and storage class alone.
func (s Selection) selects(image ImageDetail) bool {
	if (s.StorageClass == classArchive) != image.Archived {
		return false
	}
	fits := func(patterns []string) bool {
		return !slices.ContainsFunc(patterns, func(pattern string) bool {
			return !slices.ContainsFunc(image.Tags, func(tag string) bool { return wildcardMatch(pattern, tag) })
		})
	}
	switch s.TagStatus {
	case statusUntagged:
		return len(image.Tags) == 0
	case statusTagged:
		return fits(s.TagPatterns) && fits(Rule{Selection: s}.prefixPatterns())
	default:
		return true
	}
}

// at tells when a rule takes an image that it selects.
func (r Rule) at(image ImageDetail) (time.Time, Disposition) {
	verdict := map[string]Disposition{actionExpire: Expires, actionTransition: Archives}[r.Action.Type]
	since := image.Pushed
	switch {
	case verdict == "":
		return time.Time{}, Unknown
	case r.Selection.CountType == countMoreThan && r.Selection.oneAtMost():
		return time.Time{}, Stays
	case r.Selection.CountType == countTransitioned:
		since = image.ArchivedAt
	case r.Selection.CountType != countPushed:
		return time.Time{}, Unknown
	}
	days, unit := r.Selection.CountNumber, r.Selection.CountUnit
	if since.IsZero() || unit != unitDays && unit != "" || days > maxDays {
		return time.Time{}, Unknown
	}
	return since.Add(time.Duration(days) * 24 * time.Hour), verdict
}

// oneAtMost tells whether a rule selects one image at most: it names a whole tag, of
// which a repository has one.
func (s Selection) oneAtMost() bool {
	return slices.ContainsFunc(s.TagPatterns, func(pattern string) bool { return !strings.Contains(pattern, "*") })
}
