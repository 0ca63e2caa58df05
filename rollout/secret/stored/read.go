// Package stored reads and writes the secrets of a project in Secrets Manager, and
// reads those in the Parameter Store.
package stored

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
	"slipway/rollout/secret"
)

// maxCalls is the number of requests at once.
const maxCalls = 8

// State is a secret as AWS describes it. No value is read for it.
type State struct {
	secret.Secret
	// ARN is empty if the secret does not exist.
	ARN string
	// Changed is when it was last changed.
	Changed time.Time
	// Deleted is when it was scheduled for deletion; zero if it was not.
	Deleted time.Time
	// Current is the id of the current version, or the version of a parameter.
	// Missing is the stage or the version that containers ask for and it does not
	// have.
	Current, Missing string
	// Err is the reason for which AWS does not say more.
	Err error
}

// current is the staging label of the version that containers get.
const current = "AWSCURRENT"

// Read describes secrets, in their order: one DescribeSecret for each, and one
// GetParameters for up to ten parameters of a region. Of a secret that cannot be
// described, the state has the error.
func Read(ctx context.Context, c *awsclient.Clients, secrets []secret.Secret) []State {
	out := make([]State, len(secrets))
	parameters := map[string][]int{}
	var g errgroup.Group
	g.SetLimit(maxCalls)
	for i, s := range secrets {
		out[i] = State{Secret: s}
		if s.Store == secret.Parameter {
			parameters[s.Region] = append(parameters[s.Region], i)
			continue
		}
		g.Go(func() error {
			out[i].describe(ctx, c.SecretsManager(s.Region))
			return nil
		})
	}
	for region, all := range parameters {
		for some := range slices.Chunk(all, maxParameters) {
			g.Go(func() error {
				readParameters(ctx, c.Parameters(region), out, some)
				return nil
			})
		}
	}
	_ = g.Wait() // each state has its error
	return out
}

func (s *State) describe(ctx context.Context, c *secretsmanager.Client) {
	got, err := c.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &s.ID})
	if notFound(err) {
		return
	}
	if err == nil && aws.ToString(got.ARN) == "" {
		err = awsclient.Incomplete("Secrets Manager", "DescribeSecret", "the ARN")
	}
	if err != nil {
		s.Err = err
		return
	}
	s.ARN, s.Changed, s.Deleted = *got.ARN, aws.ToTime(got.LastChangedDate), aws.ToTime(got.DeletedDate)
	s.Missing = current
	if s.Version != "" {
		s.Missing = "version " + s.Version
	} else if s.Stage != "" {
		s.Missing = s.Stage
	}
	for id, stages := range got.VersionIdsToStages {
		if slices.Contains(stages, current) {
			s.Current = id
		}
		if id == s.Version || s.Version == "" && slices.Contains(stages, s.Missing) {
			s.Missing = ""
		}
	}
}

// notFound reports whether Secrets Manager has no such secret.
func notFound(err error) bool {
	var missing *types.ResourceNotFoundException
	return errors.As(err, &missing)
}

// maxParameters is the limit of names in one GetParameters (its page in the Systems
// Manager API reference).
const maxParameters = 10

// readParameters describes the parameters at some places of out. Their values are
// not decrypted.
func readParameters(ctx context.Context, c *ssm.Client, out []State, some []int) {
	var names []string
	for _, i := range some {
		if !slices.Contains(names, out[i].ID) {
			names = append(names, out[i].ID)
		}
	}
	got, err := c.GetParameters(ctx, &ssm.GetParametersInput{Names: names, WithDecryption: aws.Bool(false)})
	for _, i := range some {
		if out[i].Err = err; err == nil {
			out[i].find(got)
		}
	}
}

// find takes the description of a parameter from an answer.
func (s *State) find(got *ssm.GetParametersOutput) {
	for _, p := range got.Parameters {
		if aws.ToString(p.Name) == s.ID || aws.ToString(p.ARN) == s.ID {
			s.ARN, s.Changed = aws.ToString(p.ARN), aws.ToTime(p.LastModifiedDate)
			s.Current = strconv.FormatInt(p.Version, 10)
			return
		}
	}
	if !slices.Contains(got.InvalidParameters, s.ID) {
		s.Err = awsclient.Incomplete("Systems Manager", "GetParameters", s.ID)
	}
}

// Problem returns the reason for which containers cannot read the secret; empty if
// there is none, or if it is not known.
func (s State) Problem() string {
	switch {
	case s.Err != nil:
		return ""
	case s.ARN == "":
		return "does not exist"
	case !s.Deleted.IsZero():
		return "is scheduled for deletion"
	case s.Missing != "":
		return "has no " + s.Missing
	default:
		return ""
	}
}
