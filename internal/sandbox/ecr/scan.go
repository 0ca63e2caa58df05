package ecr

import (
	"fmt"

	"slipway/internal/sandbox/awsapi"
)

// Scan is the result of ECR's scan of an image. Nothing is scanned here: SetScan
// says what it finds.
type Scan struct {
	// Status is one of those of ImageScanStatus, such as COMPLETE.
	Status string
	// Description explains a status such as FAILED.
	Description string
	// Counts are the findings by severity, such as CRITICAL.
	Counts map[string]int32
}

// Signing is the state of ECR's managed signing of an image with one profile.
type Signing struct {
	Profile       string `json:"signingProfileArn"`
	Status        string `json:"status"`
	FailureCode   string `json:"failureCode,omitempty"`
	FailureReason string `json:"failureReason,omitempty"`
}

// SetScan says what the scan of an image has found. The error says that there is no
// such image.
func (g *Registry) SetScan(repository, digest string, s Scan) error {
	return g.change(repository, digest, func(i *image) { i.scan = &s })
}

// SetSigning says how far the managed signing of an image is. The error says that there
// is no such image.
func (g *Registry) SetSigning(repository, digest string, s ...Signing) error {
	return g.change(repository, digest, func(i *image) { i.signings = s })
}

// SetScanOnPush has images of a repository scanned when they are pushed.
func (g *Registry) SetScanOnPush(repository string, on bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	r, err := g.repository(repository)
	if err == nil {
		r.scanOnPush = on
	}
	return err
}

func (g *Registry) change(repository, digest string, f func(*image)) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	r, err := g.repository(repository)
	if err != nil {
		return err
	}
	i := r.images[digest]
	if i == nil {
		return fmt.Errorf("repository %q has no image %s", repository, digest)
	}
	f(i)
	return nil
}

type imageIn struct {
	target
	ImageID imageID `json:"imageId"`
}

// one finds the image of a request that names one.
func (in imageIn) one(g *Registry, r *repository) (*image, error) {
	i, failure := r.resolve(in.ImageID)
	if failure != nil {
		return nil, g.notFound(r, failure)
	}
	return i, nil
}

type scanStatus struct {
	Status      string `json:"status"`
	Description string `json:"description,omitempty"`
}

type scanFindings struct {
	FindingSeverityCounts map[string]int32 `json:"findingSeverityCounts"`
}

type describeImageScanFindingsOut struct {
	target
	ImageID           imageID       `json:"imageId"`
	ImageScanStatus   scanStatus    `json:"imageScanStatus"`
	ImageScanFindings *scanFindings `json:"imageScanFindings,omitempty"`
}

// describeImageScanFindings returns the counts alone. An index is not scanned, its
// images are ("Scan images" in the ECR user guide).
func (s *Registries) describeImageScanFindings(c awsapi.Call, in imageIn) (describeImageScanFindingsOut, error) {
	out := describeImageScanFindingsOut{target: in.target}
	err := s.locked(c, in.target, func(g *Registry, r *repository) error {
		i, err := in.one(g, r)
		if err != nil {
			return err
		}
		if i.scan == nil {
			return awsapi.Errorf("ScanNotFoundException", "Image scan does not exist for the image with '%s' in the repository with name '%s'", i.digest, r.name)
		}
		out.ImageID = imageID{ImageDigest: i.digest, ImageTag: in.ImageID.ImageTag}
		out.ImageScanStatus = scanStatus{i.scan.Status, i.scan.Description}
		if i.scan.Counts != nil {
			out.ImageScanFindings = &scanFindings{i.scan.Counts}
		}
		return nil
	})
	return out, err
}

type scanningConfigurationsIn struct {
	RepositoryNames []string `json:"repositoryNames"`
}

type repositoryScanning struct {
	RepositoryARN      string   `json:"repositoryArn"`
	RepositoryName     string   `json:"repositoryName"`
	ScanOnPush         bool     `json:"scanOnPush"`
	ScanFrequency      string   `json:"scanFrequency"`
	AppliedScanFilters []string `json:"appliedScanFilters"`
}

type scanningFailure struct {
	RepositoryName string `json:"repositoryName"`
	FailureCode    string `json:"failureCode"`
	FailureReason  string `json:"failureReason"`
}

type scanningConfigurationsOut struct {
	ScanningConfigurations []repositoryScanning `json:"scanningConfigurations"`
	Failures               []scanningFailure    `json:"failures"`
}

func (s *Registries) batchGetRepositoryScanningConfiguration(c awsapi.Call, in scanningConfigurationsIn) (scanningConfigurationsOut, error) {
	out := scanningConfigurationsOut{ScanningConfigurations: []repositoryScanning{}, Failures: []scanningFailure{}}
	if n := len(in.RepositoryNames); n < 1 || n > 25 {
		return out, awsapi.InvalidParameter("repositoryNames", "must have length between 1 and 25")
	}
	g, err := s.registry(c, "")
	if err != nil {
		return out, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, name := range in.RepositoryNames {
		r, err := g.repository(name)
		if err != nil {
			out.Failures = append(out.Failures, scanningFailure{name, "REPOSITORY_NOT_FOUND", err.Error()})
			continue
		}
		frequency := "MANUAL"
		if r.scanOnPush {
			frequency = "SCAN_ON_PUSH"
		}
		out.ScanningConfigurations = append(out.ScanningConfigurations, repositoryScanning{g.arn(name), name, r.scanOnPush, frequency, []string{}})
	}
	return out, nil
}

type describeImageSigningStatusOut struct {
	target
	ImageID         imageID   `json:"imageId"`
	SigningStatuses []Signing `json:"signingStatuses"`
}

func (s *Registries) describeImageSigningStatus(c awsapi.Call, in imageIn) (describeImageSigningStatusOut, error) {
	out := describeImageSigningStatusOut{target: in.target, SigningStatuses: []Signing{}}
	err := s.locked(c, in.target, func(g *Registry, r *repository) error {
		i, err := in.one(g, r)
		if err != nil {
			return err
		}
		out.ImageID = imageID{ImageDigest: i.digest, ImageTag: in.ImageID.ImageTag}
		out.SigningStatuses = append(out.SigningStatuses, i.signings...)
		return nil
	})
	return out, err
}
