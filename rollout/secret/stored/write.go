package stored

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/rollout/secret"
)

// Comparison is the result of comparing a value on this host with the current one.
type Comparison struct {
	// Known reports that both values were read, and Differs that they are not equal.
	Known, Differs bool
	// Err is the reason for which the current value was not read.
	Err error
}

// Compare reads the current value of each secret that has a value on this host, and
// compares the two in memory: one GetSecretValue for each. The results have the order
// of the values.
func Compare(ctx context.Context, c *awsclient.Clients, values []secret.Local) []Comparison {
	out := make([]Comparison, len(values))
	var g errgroup.Group
	g.SetLimit(maxCalls)
	for i, v := range values {
		if !v.Found || v.Err != nil {
			continue
		}
		g.Go(func() error {
			equal, _, err := compare(ctx, c.SecretsManager(v.Region), v)
			out[i] = Comparison{Known: err == nil, Differs: err == nil && !equal, Err: err}
			return nil
		})
	}
	_ = g.Wait() // each comparison has its error
	return out
}

// compare reports whether a secret has a value on AWS, and whether the current one
// equals the one on this host.
func compare(ctx context.Context, c *secretsmanager.Client, v secret.Local) (equal, exists bool, err error) {
	out, err := c.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &v.ID})
	if notFound(err) {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	return out.SecretString != nil && *out.SecretString == v.Value.Reveal(), true, nil
}

// Outcome is the result of a push for one secret.
type Outcome string

// The outcomes of Push.
const (
	Created   Outcome = "created"
	Changed   Outcome = "changed"
	Unchanged Outcome = "unchanged"
	Failed    Outcome = "failed"
)

// Pushed is a secret after Push.
type Pushed struct {
	secret.Local
	Outcome Outcome
	// Err is the reason for which nothing was written.
	Err error
}

// Push writes the values that differ from those in Secrets Manager, in the order of
// the values: one GetSecretValue for each, then CreateSecret or PutSecretValue. A
// failure does not keep the others from being written. Killed at any step, the same
// call writes the rest. project is named in the description of new secrets.
func Push(ctx context.Context, c *awsclient.Clients, project string, values []secret.Local) ([]Pushed, error) {
	out := make([]Pushed, len(values))
	var g errgroup.Group
	g.SetLimit(maxCalls)
	for i, v := range values {
		g.Go(func() error {
			outcome, err := push(ctx, c.SecretsManager(v.Region), project, v)
			if err != nil {
				outcome = Failed
			}
			out[i] = Pushed{v, outcome, err}
			return nil
		})
	}
	_ = g.Wait() // each secret has its error
	var errs []error
	for _, p := range out {
		if p.Err != nil {
			errs = append(errs, fault.As(fault.AWS, fmt.Errorf("writing %s: %w", p.ID, p.Err)))
		}
	}
	return out, errors.Join(errs...)
}

func push(ctx context.Context, c *secretsmanager.Client, project string, v secret.Local) (Outcome, error) {
	equal, exists, err := compare(ctx, c, v)
	switch {
	case err != nil:
		return Failed, marked(v.Secret, err)
	case equal:
		return Unchanged, nil
	case exists:
		return Changed, marked(v.Secret, put(ctx, c, v))
	}
	// The SDK gives the request a random ClientRequestToken, and repeats it with the
	// same one: a request whose answer was lost is not carried out twice.
	_, err = c.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: &v.ID, SecretString: aws.String(v.Value.Reveal()),
		Description: aws.String(fmt.Sprintf("Secret %s of the compose project %s, written by slipway", v.Key, project)),
	})
	var there *types.ResourceExistsException
	if errors.As(err, &there) {
		// It has no current version, or another job has created it meanwhile.
		return Changed, marked(v.Secret, put(ctx, c, v))
	}
	return Created, marked(v.Secret, err)
}

func put(ctx context.Context, c *secretsmanager.Client, v secret.Local) error {
	_, err := c.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &v.ID, SecretString: aws.String(v.Value.Reveal())})
	return err
}

// DeletionError is a secret that is scheduled for deletion: its value can be neither
// read nor written.
type DeletionError struct{ ID string }

// Error names the secret.
func (e *DeletionError) Error() string {
	return fmt.Sprintf("the secret %s is scheduled for deletion", e.ID)
}

// Kind returns fault.AWS.
func (e *DeletionError) Kind() fault.Kind { return fault.AWS }

// Hint returns the command that restores the secret.
func (e *DeletionError) Hint() string {
	return "restore it with `aws secretsmanager restore-secret --secret-id " + e.ID + "`, then run the same command again"
}

// marked gives the error of a secret that is scheduled for deletion its own type.
// Secrets Manager's InvalidRequestException has other reasons, too, such as a secret
// that another service manages (PutSecretValue in the API reference).
func marked(s secret.Secret, err error) error {
	var invalid *types.InvalidRequestException
	if errors.As(err, &invalid) && strings.Contains(invalid.ErrorMessage(), "deletion") {
		return &DeletionError{s.ID}
	}
	return err
}

// Denied reports whether the caller may not do what an error is about.
func Denied(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "AccessDeniedException"
}
