package admission

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"slipway/internal/plain"
	"slipway/internal/shell"
	"slipway/registry"
)

// scanner is the part of ECR that scans need.
type scanner interface {
	DescribeImageScanFindings(context.Context, *ecr.DescribeImageScanFindingsInput, ...func(*ecr.Options)) (*ecr.DescribeImageScanFindingsOutput, error)
	BatchGetRepositoryScanningConfiguration(context.Context, *ecr.BatchGetRepositoryScanningConfigurationInput, ...func(*ecr.Options)) (*ecr.BatchGetRepositoryScanningConfigurationOutput, error)
}

// scan is the check of one image's findings.
type scan struct {
	client scanner
	repo   registry.Ref
	digest string
	checks Checks
}

func (s scan) pass(ctx context.Context) error {
	what := "the scan of " + s.repo.Name + "@" + s.digest
	err := s.checks.await(ctx, what, func() (bool, error) { return s.look(ctx) })
	if errors.Is(err, context.DeadlineExceeded) {
		return s.refuse("is still being scanned after "+s.checks.Timeout.String(), "run the command again when the scan has ended")
	}
	return err
}

// look asks for the findings; false while the scan is under way.
func (s scan) look(ctx context.Context) (bool, error) {
	out, err := findings(ctx, s.client, s.repo, s.digest)
	switch {
	case err != nil:
		return false, err
	case out == nil:
		return s.begins(ctx)
	case out.ImageScanStatus == nil:
		return false, s.refuse("has a scan without a status", "run the command again")
	}
	switch status := out.ImageScanStatus; status.Status {
	case types.ScanStatusInProgress, types.ScanStatusPending:
		return false, nil
	case types.ScanStatusComplete, types.ScanStatusActive:
		return true, s.judge(out.ImageScanFindings)
	default:
		why := ""
		if text := aws.ToString(status.Description); text != "" {
			why = ": " + plain.Text(text)
		}
		return false, s.refuse(fmt.Sprintf("was not scanned (%s%s)", status.Status, why), "see which images ECR scans, or leave out the requirement")
	}
}

// findings asks for the findings of an image; nil if it was not scanned.
func findings(ctx context.Context, client scanner, repo registry.Ref, digest string) (*ecr.DescribeImageScanFindingsOutput, error) {
	out, err := client.DescribeImageScanFindings(ctx, &ecr.DescribeImageScanFindingsInput{
		RegistryId: repo.RegistryID(), RepositoryName: &repo.Name, MaxResults: aws.Int32(1), // the counts are of all
		ImageId: &types.ImageIdentifier{ImageDigest: &digest},
	})
	var none *types.ScanNotFoundException
	if errors.As(err, &none) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the scan of %s: %w", repo.Name, err)
	}
	return out, nil
}

// begins returns no error if a scan of a pushed image is still to begin.
func (s scan) begins(ctx context.Context) (bool, error) {
	out, err := s.client.BatchGetRepositoryScanningConfiguration(ctx, &ecr.BatchGetRepositoryScanningConfigurationInput{RepositoryNames: []string{s.repo.Name}})
	if err != nil {
		return false, fmt.Errorf("the image %s@%s has no scan; reading whether its repository scans: %w", s.repo.Name, s.digest, err)
	}
	for _, c := range out.ScanningConfigurations {
		if c.ScanFrequency != types.ScanFrequencyManual {
			return false, nil
		}
	}
	return false, s.refuse("has not been scanned: its repository does not scan images when they are pushed", fmt.Sprintf(
		"scan on push in the registry's scanning configuration, and start the first scan with `aws ecr start-image-scan --repository-name %s --image-id imageDigest=%s`",
		shell.Word(s.repo.Name), s.digest))
}

// judge refuses findings of the level or above.
func (s scan) judge(found *types.ImageScanFindings) error {
	if found == nil {
		return s.refuse("has a scan without findings", "run the command again, or look at the scan in the ECR console")
	}
	counts := phrases(found.FindingSeverityCounts, s.checks.Scan.includes)
	if len(counts) == 0 {
		return nil
	}
	return s.refuse("has findings of level "+string(s.checks.Scan)+" or above: "+strings.Join(counts, ", "), fmt.Sprintf(
		"`aws ecr describe-image-scan-findings --repository-name %s --image-id imageDigest=%s` lists them", shell.Word(s.repo.Name), s.digest))
}

// phrases returns the numbers of findings that are asked for, the worst first.
func phrases(numbers map[string]int32, wanted func(severity string) bool) []string {
	severities := slices.SortedFunc(maps.Keys(numbers), func(a, b string) int {
		return cmp.Or(rank(b)-rank(a), strings.Compare(a, b))
	})
	var counts []string
	for _, severity := range severities {
		if n := numbers[severity]; n > 0 && wanted(severity) {
			counts = append(counts, fmt.Sprintf("%d %s", n, plain.Text(strings.ToLower(severity))))
		}
	}
	return counts
}

func rank(severity string) int { return slices.Index(levels, Level(strings.ToLower(severity))) }

func (s scan) refuse(reason, remedy string) error {
	return &RefusedError{Repository: s.repo, Digest: s.digest, Reason: reason, remedy: remedy}
}
