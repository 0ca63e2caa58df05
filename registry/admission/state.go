package admission

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"slipway/registry"
)

// The statuses that are not ECR's own.
const (
	StatusNone    = "none"
	StatusUnknown = "unknown"
)

// Scan is the state of ECR's scan of an image.
type Scan struct {
	// Status is ECR's in lower case, such as complete; StatusNone for an image that
	// was not scanned, and StatusUnknown where that cannot be read.
	Status string `json:"status"`
	// Reason is why there is no result, as far as ECR says so.
	Reason string `json:"reason,omitempty"`
	// Findings are the numbers of findings by severity in lower case.
	Findings map[string]int32 `json:"findings,omitempty"`
}

// String returns the state in words, such as "complete: 1 high, 2 low".
func (s Scan) String() string {
	out := append([]string{}, phrases(s.Findings, func(string) bool { return true })...)
	if len(out) == 0 && s.Reason != "" {
		out = []string{s.Reason}
	}
	return withCause(s.Status, strings.Join(out, ", "))
}

// Signing is the state of one signature of ECR's managed signing.
type Signing struct {
	// Profile is the ARN of the signing profile.
	Profile string `json:"profile"`
	// Status is ECR's in lower case: in_progress, complete or failed.
	Status string `json:"status"`
	// Reason is why an image was not signed, as far as ECR says so.
	Reason string `json:"reason,omitempty"`
}

// String returns the state in words, such as "failed: AccessDenied".
func (s Signing) String() string { return withCause(s.Status, s.Reason) }

func withCause(status, cause string) string {
	if cause == "" {
		return status
	}
	return status + ": " + cause
}

// ReadScan returns the state of the scan of an image, which is not an index: ECR
// scans none. Calls: one DescribeImageScanFindings.
func ReadScan(ctx context.Context, client scanner, repo registry.Ref, digest string) (Scan, error) {
	out, err := findings(ctx, client, repo, digest)
	switch {
	case err != nil:
		return Scan{Status: StatusUnknown}, err
	case out == nil:
		return Scan{Status: StatusNone}, nil
	case out.ImageScanStatus == nil:
		return Scan{Status: StatusUnknown}, nil
	}
	scan := Scan{Status: strings.ToLower(string(out.ImageScanStatus.Status)), Reason: aws.ToString(out.ImageScanStatus.Description)}
	if found := out.ImageScanFindings; found != nil {
		scan.Findings = map[string]int32{}
		for severity, n := range found.FindingSeverityCounts {
			scan.Findings[strings.ToLower(severity)] = n
		}
	}
	return scan, nil
}

// ReadSignings returns the states of the signatures of an image or of an index, one
// for each signing profile that a rule of the registry names. Calls: one
// DescribeImageSigningStatus.
func ReadSignings(ctx context.Context, client signer, repo registry.Ref, digest string) ([]Signing, error) {
	found, err := signings(ctx, client, repo, digest)
	if err != nil {
		return nil, err
	}
	out := []Signing{}
	for _, s := range found {
		signing := Signing{Profile: aws.ToString(s.SigningProfileArn), Status: strings.ToLower(string(s.Status))}
		if s.Status == types.SigningStatusFailed {
			_, signing.Reason, _ = strings.Cut(cause(s), ": ")
		}
		out = append(out, signing)
	}
	return out, nil
}
