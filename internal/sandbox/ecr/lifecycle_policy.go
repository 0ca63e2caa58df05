package ecr

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// lifecyclePolicy is a parsed policy. The ECR user guide describes the syntax
// under "Lifecycle policy parameters".
type lifecyclePolicy struct {
	Rules []lifecycleRule `json:"rules"`
}

type lifecycleRule struct {
	RulePriority int                `json:"rulePriority"`
	Description  string             `json:"description"`
	Selection    lifecycleSelection `json:"selection"`
	Action       lifecycleAction    `json:"action"`
}

type lifecycleSelection struct {
	TagStatus      string   `json:"tagStatus"`
	TagPatternList []string `json:"tagPatternList"`
	TagPrefixList  []string `json:"tagPrefixList"`
	StorageClass   string   `json:"storageClass"`
	CountType      string   `json:"countType"`
	CountUnit      string   `json:"countUnit"`
	CountNumber    int      `json:"countNumber"`
}

type lifecycleAction struct {
	Type               string `json:"type"`
	TargetStorageClass string `json:"targetStorageClass"`
}

// Limits of a policy: its text in the API reference, its rules in ECR's
// service quotas, the wildcards in the user guide.
const (
	minPolicyText    = 100
	maxPolicyText    = 30720
	maxPolicyRules   = 50
	maxTagWildcards  = 4
	selectAny        = "any"
	selectTagged     = "tagged"
	selectUntagged   = "untagged"
	countMoreThan    = "imageCountMoreThan"
	sincePushed      = "sinceImagePushed"
	sincePulled      = "sinceImagePulled"
	sinceTransition  = "sinceImageTransitioned"
	actionExpire     = "expire"
	actionTransition = "transition"
	classStandard    = "standard"
	classArchive     = "archive"
)

// parseLifecyclePolicy parses a policy, with the errors of ECR. The rules are
// in order of priority.
func parseLifecyclePolicy(text string) (lifecyclePolicy, error) {
	var p lifecyclePolicy
	if len(text) < minPolicyText || len(text) > maxPolicyText {
		return p, fmt.Errorf("must have length between %d and %d", minPolicyText, maxPolicyText)
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return p, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return p, errors.New("there is text after the policy")
	}
	if len(p.Rules) < 1 || len(p.Rules) > maxPolicyRules {
		return p, fmt.Errorf("there must be 1 to %d rules", maxPolicyRules)
	}
	for i := range p.Rules {
		if err := p.Rules[i].check(); err != nil {
			return p, fmt.Errorf("rule %d: %w", p.Rules[i].RulePriority, err)
		}
	}
	slices.SortStableFunc(p.Rules, func(a, b lifecycleRule) int { return a.RulePriority - b.RulePriority })
	return p, p.checkOrder()
}

// checkOrder returns an error unless all priorities differ and, of the rules
// for a storage class, the one for any image is the last.
func (p lifecyclePolicy) checkOrder() error {
	anyRule := map[string]int{}
	for i, r := range p.Rules {
		if i > 0 && p.Rules[i-1].RulePriority == r.RulePriority {
			return fmt.Errorf("rulePriority %d is used twice", r.RulePriority)
		}
		if before, ok := anyRule[r.Selection.StorageClass]; ok {
			return fmt.Errorf("rule %d has tagStatus any and must have the highest rulePriority, but there is rule %d", before, r.RulePriority)
		}
		if r.Selection.TagStatus == selectAny {
			anyRule[r.Selection.StorageClass] = r.RulePriority
		}
	}
	return nil
}

func (r *lifecycleRule) check() error {
	if r.RulePriority < 1 {
		return errors.New("rulePriority must be 1 or more")
	}
	if r.Selection.StorageClass == "" {
		r.Selection.StorageClass = classStandard
	}
	if err := r.Selection.checkTags(); err != nil {
		return err
	}
	if err := r.Selection.checkCount(); err != nil {
		return err
	}
	return r.checkAction()
}

func (s lifecycleSelection) checkTags() error {
	lists := append(slices.Clone(s.TagPatternList), s.TagPrefixList...)
	switch s.TagStatus {
	case selectTagged:
		if (s.TagPatternList == nil) == (s.TagPrefixList == nil) || len(lists) == 0 {
			return errors.New("tagStatus tagged needs either tagPatternList or tagPrefixList")
		}
	case selectUntagged, selectAny:
		if lists != nil {
			return fmt.Errorf("tagStatus %s goes with neither tagPatternList nor tagPrefixList", s.TagStatus)
		}
	default:
		return fmt.Errorf("tagStatus must be tagged, untagged or any, not %q", s.TagStatus)
	}
	if slices.Contains(lists, "") {
		return errors.New("an entry of the tag list is empty")
	}
	for _, pattern := range s.TagPatternList {
		if strings.Count(pattern, "*") > maxTagWildcards {
			return fmt.Errorf("tag pattern %q has more than %d wildcards", pattern, maxTagWildcards)
		}
	}
	return nil
}

func (s lifecycleSelection) checkCount() error {
	if s.CountNumber < 1 {
		return errors.New("countNumber must be 1 or more")
	}
	switch s.CountType {
	case countMoreThan:
		if s.CountUnit != "" {
			return errors.New("countUnit does not go with imageCountMoreThan")
		}
	case sincePushed, sincePulled, sinceTransition:
		if s.CountUnit != "days" {
			return fmt.Errorf("countUnit must be days with %s, not %q", s.CountType, s.CountUnit)
		}
	default:
		return fmt.Errorf("countType must be imageCountMoreThan, sinceImagePushed, sinceImagePulled or sinceImageTransitioned, not %q", s.CountType)
	}
	return nil
}

func (r *lifecycleRule) checkAction() error {
	s := r.Selection
	switch {
	case s.StorageClass != classStandard && s.StorageClass != classArchive:
		return fmt.Errorf("storageClass must be standard or archive, not %q", s.StorageClass)
	case s.CountType == sinceTransition && s.StorageClass != classArchive:
		return errors.New("sinceImageTransitioned needs storageClass archive")
	case r.Action.Type == actionExpire && r.Action.TargetStorageClass != "":
		return errors.New("targetStorageClass does not go with action expire")
	case r.Action.Type == actionExpire:
		return nil
	case r.Action.Type != actionTransition:
		return fmt.Errorf("action type must be expire or transition, not %q", r.Action.Type)
	case r.Action.TargetStorageClass != classArchive || s.StorageClass != classStandard:
		return errors.New("action transition goes from storageClass standard to targetStorageClass archive")
	}
	return nil
}
