// Package admission decides whether images may be deployed by what ECR knows about them: the
// findings of its scans, and the signatures of its managed signing.
package admission

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"slipway/internal/fault"
	"slipway/registry"
)

// Level is the severity of findings in an image.
type Level string

// levels are the severities from the lowest to the highest. ECR's UNDEFINED and
// UNTRIAGED, which mark findings without a judgement, are below all.
var levels = []Level{"informational", "low", "medium", "high", "critical"}

// ParseLevel returns the level of a name.
func ParseLevel(name string) (Level, error) {
	if level := Level(strings.ToLower(name)); slices.Contains(levels, level) {
		return level, nil
	}
	return "", fmt.Errorf("%q is not a level: want one of %s", name, strings.Join(Levels(), ", "))
}

// Levels returns the names of the levels, the lowest first.
func Levels() []string {
	var out []string
	for _, l := range levels {
		out = append(out, string(l))
	}
	return out
}

// includes reports whether a severity of ECR is of the level or above.
func (l Level) includes(severity string) bool {
	at := slices.Index(levels, Level(strings.ToLower(severity)))
	return max(at, 0) >= slices.Index(levels, l)
}

// Image is an image to deploy.
type Image struct {
	Repository registry.Ref
	// Digest names the image or the index that is deployed.
	Digest string
	// Platforms are the digests of the images of an index; none for an image.
	Platforms []string
}

// scanned are the digests that ECR scans: it scans no index ("Scan images for software
// vulnerabilities" in the ECR user guide).
func (i Image) scanned() []string {
	if len(i.Platforms) > 0 {
		return i.Platforms
	}
	return []string{i.Digest}
}

// Checks say what an image must pass.
type Checks struct {
	// Scan is the level from which findings are refused; empty asks for no scan.
	Scan Level
	// Signature asks for a signature of ECR's managed signing.
	Signature bool
	// Timeout is how long a scan or a signing under way is waited for, and Pause the
	// time between two looks.
	Timeout, Pause time.Duration
	// Waiting is called once for each image that is waited for.
	Waiting func(what string)
}

// Any reports whether there is something to check.
func (c Checks) Any() bool { return c.Scan != "" || c.Signature }

// RefusedError is an image that must not be deployed.
type RefusedError struct {
	Repository registry.Ref
	Digest     string
	// Reason says why, as a phrase.
	Reason string
	remedy string
}

// Error names the image and the reason.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s@%s %s", e.Repository.Name, e.Digest, e.Reason)
}

// Kind returns fault.Rollout.
func (e *RefusedError) Kind() fault.Kind { return fault.Rollout }

// Hint says what to do.
func (e *RefusedError) Hint() string { return e.remedy }

// Pass checks all images at the same time, and waits for scans and signings under way.
// The error has a *RefusedError for each image that does not pass, and those of AWS.
// Calls: one DescribeImageScanFindings for each image and look, and one
// DescribeImageSigningStatus; one BatchGetRepositoryScanningConfiguration for an image
// without a scan.
func Pass(ctx context.Context, clients registry.Clients, images []Image, c Checks) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	var checks []func() error
	for _, i := range images {
		client := clients(i.Repository.Region)
		if c.Scan != "" {
			for _, digest := range i.scanned() {
				checks = append(checks, func() error { return scan{client, i.Repository, digest, c}.pass(ctx) })
			}
		}
		if c.Signature {
			checks = append(checks, func() error { return signing{client, i.Repository, i.Digest, c}.pass(ctx) })
		}
	}
	errs := make([]error, len(checks))
	var g errgroup.Group
	g.SetLimit(registry.MaxCalls)
	for i, check := range checks {
		g.Go(func() error {
			errs[i] = check()
			return nil
		})
	}
	_ = g.Wait() // its goroutines keep their errors in errs
	return errors.Join(errs...)
}

// await looks until look has an answer. look returns false while there is none yet.
func (c Checks) await(ctx context.Context, what string, look func() (bool, error)) error {
	for first := true; ; first = false {
		if done, err := look(); done || err != nil {
			return err
		}
		if first && c.Waiting != nil {
			c.Waiting(what)
		}
		select {
		case <-time.After(c.Pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
