package ecr

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"slipway/internal/sandbox/awsapi"
)

type lifecyclePolicyIn struct {
	target
	LifecyclePolicyText string `json:"lifecyclePolicyText"`
}

type lifecyclePolicyOut struct {
	target
	LifecyclePolicyText string        `json:"lifecyclePolicyText"`
	LastEvaluatedAt     *awsapi.Epoch `json:"lastEvaluatedAt,omitempty"`
}

func checkPolicyText(text string) error {
	if _, err := parseLifecyclePolicy(text); err != nil {
		return awsapi.InvalidParameter("LifecyclePolicyText", "Lifecycle policy validation failure: "+err.Error())
	}
	return nil
}

func (s *Registries) putLifecyclePolicy(c awsapi.Call, in lifecyclePolicyIn) (out lifecyclePolicyOut, err error) {
	err = s.locked(c, in.target, func(g *Registry, r *repository) error {
		if err := checkPolicyText(in.LifecyclePolicyText); err != nil {
			return err
		}
		r.policy, r.evaluatedAt = in.LifecyclePolicyText, time.Time{}
		out = lifecyclePolicyOut{target: target{g.Account, r.name}, LifecyclePolicyText: r.policy}
		return nil
	})
	return out, err
}

func (g *Registry) policyOf(r *repository) (lifecyclePolicyOut, error) {
	if r.policy == "" {
		return lifecyclePolicyOut{}, awsapi.Errorf("LifecyclePolicyNotFoundException",
			"Lifecycle policy does not exist for the repository with name '%s' in the registry with id '%s'", r.name, g.Account)
	}
	return lifecyclePolicyOut{target{g.Account, r.name}, r.policy, awsapi.Stamp(r.evaluatedAt)}, nil
}

func (s *Registries) getLifecyclePolicy(c awsapi.Call, in target) (out lifecyclePolicyOut, err error) {
	err = s.locked(c, in, func(g *Registry, r *repository) (err error) {
		out, err = g.policyOf(r)
		return err
	})
	return out, err
}

func (s *Registries) deleteLifecyclePolicy(c awsapi.Call, in target) (out lifecyclePolicyOut, err error) {
	err = s.locked(c, in, func(g *Registry, r *repository) (err error) {
		out, err = g.policyOf(r)
		r.policy, r.evaluatedAt = "", time.Time{}
		return err
	})
	return out, err
}

// policyPreview is the last preview of a repository, ready at once.
type policyPreview struct {
	text    string
	results []previewResult
}

type previewAction struct {
	Type               string `json:"type"`
	TargetStorageClass string `json:"targetStorageClass,omitempty"`
}

type previewResult struct {
	ImageTags           []string      `json:"imageTags,omitempty"`
	ImageDigest         string        `json:"imageDigest"`
	ImagePushedAt       *awsapi.Epoch `json:"imagePushedAt"`
	Action              previewAction `json:"action"`
	AppliedRulePriority int           `json:"appliedRulePriority"`
	StorageClass        string        `json:"storageClass"`
}

type startPreviewOut struct {
	target
	LifecyclePolicyText string `json:"lifecyclePolicyText"`
	Status              string `json:"status"`
}

func (s *Registries) startLifecyclePolicyPreview(c awsapi.Call, in lifecyclePolicyIn) (out startPreviewOut, err error) {
	err = s.locked(c, in.target, func(g *Registry, r *repository) error {
		text := in.LifecyclePolicyText
		if text == "" {
			current, err := g.policyOf(r)
			if err != nil {
				return err
			}
			text = current.LifecyclePolicyText
		}
		if err := checkPolicyText(text); err != nil {
			return err
		}
		r.preview = &policyPreview{text, r.previewOf(text, g.clock.Now())}
		out = startPreviewOut{target{g.Account, r.name}, text, "IN_PROGRESS"}
		return nil
	})
	return out, err
}

// previewOf returns the results that a policy would have now.
func (r *repository) previewOf(text string, now time.Time) []previewResult {
	out := []previewResult{}
	for _, v := range r.evaluatePolicy(text, now) {
		i := r.images[v.digest]
		storage := strings.ToUpper(classStandard)
		if i.archived {
			storage = strings.ToUpper(classArchive)
		}
		out = append(out, previewResult{
			ImageTags:           r.tagsOf(v.digest),
			ImageDigest:         v.digest,
			ImagePushedAt:       awsapi.Stamp(i.pushedAt),
			Action:              previewAction{strings.ToUpper(v.action.Type), strings.ToUpper(v.action.TargetStorageClass)},
			AppliedRulePriority: v.priority,
			StorageClass:        storage,
		})
	}
	return out
}

type getPreviewIn struct {
	target
	awsapi.Paging
	ImageIDs []imageID   `json:"imageIds"`
	Filter   imageFilter `json:"filter"`
}

type transitionCount struct {
	ImageTotalCount    int    `json:"imageTotalCount"`
	TargetStorageClass string `json:"targetStorageClass"`
}

type previewSummary struct {
	ExpiringImageTotalCount       int               `json:"expiringImageTotalCount"`
	TransitioningImageTotalCounts []transitionCount `json:"transitioningImageTotalCounts,omitempty"`
}

type getPreviewOut struct {
	startPreviewOut
	NextToken      string          `json:"nextToken,omitempty"`
	PreviewResults []previewResult `json:"previewResults"`
	Summary        previewSummary  `json:"summary"`
}

func (s *Registries) getLifecyclePolicyPreview(c awsapi.Call, in getPreviewIn) (out getPreviewOut, err error) {
	if err := in.Filter.check(); err != nil {
		return out, err
	}
	err = s.locked(c, in.target, func(g *Registry, r *repository) error {
		if r.preview == nil {
			return awsapi.Errorf("LifecyclePolicyPreviewNotFoundException",
				"Lifecycle policy preview does not exist for the repository with name '%s' in the registry with id '%s'", r.name, g.Account)
		}
		out.startPreviewOut = startPreviewOut{target{g.Account, r.name}, r.preview.text, "COMPLETE"}
		out.Summary = summarize(r.preview.results)
		var err error
		out.PreviewResults, out.NextToken, err = awsapi.Page(in.Paging, 100, in.narrow(r.preview.results), func(p previewResult) string {
			return p.ImageDigest
		})
		return err
	})
	return out, err
}

// narrow returns the results that the request asks for, in the order of pages.
func (in getPreviewIn) narrow(results []previewResult) []previewResult {
	out := []previewResult{}
	for _, p := range results {
		named := in.ImageIDs == nil || slices.ContainsFunc(in.ImageIDs, func(id imageID) bool {
			return id.ImageDigest == p.ImageDigest || slices.Contains(p.ImageTags, id.ImageTag)
		})
		tagged := p.ImageTags != nil
		status := cmp.Or(in.Filter.TagStatus, "ANY")
		if named && (status == "ANY" || tagged == (status == "TAGGED")) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b previewResult) int { return cmp.Compare(a.ImageDigest, b.ImageDigest) })
	return out
}

func summarize(results []previewResult) (s previewSummary) {
	transitions := 0
	for _, p := range results {
		if p.Action.Type == "EXPIRE" {
			s.ExpiringImageTotalCount++
		} else {
			transitions++
		}
	}
	if transitions > 0 {
		s.TransitioningImageTotalCounts = []transitionCount{{transitions, "ARCHIVE"}}
	}
	return s
}

// evaluatePolicy returns the results of a policy that was accepted before.
func (r *repository) evaluatePolicy(text string, now time.Time) []policyResult {
	policy, err := parseLifecyclePolicy(text)
	if err != nil {
		return nil // not reached: only checked texts are kept
	}
	var images []lifecycleImage
	for _, i := range r.sortedImages() {
		images = append(images, lifecycleImage{
			digest: i.digest, tags: r.tagsOf(i.digest), pushedAt: i.pushedAt, usedAt: i.usedAt(),
			archived: i.archived, archivedAt: i.archivedAt, referenced: r.parentsOf(i.digest) != nil,
			active: slices.ContainsFunc(r.parentsOf(i.digest), func(d string) bool { return !r.images[d].archived }),
		})
	}
	return policy.evaluate(images, now)
}

func (i *image) usedAt() time.Time {
	last := i.pushedAt
	for _, t := range []time.Time{i.activatedAt, i.pulledAt} {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// applyPolicies expires and archives images at once; ECR does so within 24
// hours after an image matches a rule. When an index expires, its images may
// expire as well, hence the loop.
func (g *Registry) applyPolicies() {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.clock.Now()
	for _, name := range slices.Sorted(maps.Keys(g.repositories)) {
		r := g.repositories[name]
		if r.policy == "" {
			continue
		}
		for results := r.evaluatePolicy(r.policy, now); len(results) > 0; results = r.evaluatePolicy(r.policy, now) {
			r.carryOut(results, now)
		}
		r.followSubjects(now)
		r.evaluatedAt = now
	}
}

func (r *repository) carryOut(results []policyResult, now time.Time) {
	for _, v := range results {
		if v.action.Type == actionExpire {
			r.remove(v.digest)
		} else {
			r.images[v.digest].setArchived(true, now)
		}
	}
}
