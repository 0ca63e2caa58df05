// Package stored reads and writes the secrets of a project in Secrets Manager, and
// reads those in the Parameter Store.
package stored

import (
	"cmp"
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
	// Current is the id of the version that containers get, or the version of a
	// parameter. Missing is the stage or the version that containers ask for and it
	// does not have.
	Current, Missing string
	// Err is the reason for which AWS does not say more.
	Err error
}

// current is the staging label of the version that containers get.
const current = "AWSCURRENT"

// Read describes secrets, in their order: one DescribeSecret for each, and one
// GetParameters for up to ten parameters of a region. Two references to one secret take
// one request. Of a secret that cannot be described, the state has the error.
func Read(ctx context.Context, c *awsclient.Clients, secrets []secret.Secret) []State {
	type id struct{ region, id string }
	out := make([]State, len(secrets))
	managed, parameters := map[id][]*State{}, map[string][]int{}
	for i, s := range secrets {
		out[i] = State{Secret: s}
		if s.Store == secret.Parameter {
			parameters[s.Region] = append(parameters[s.Region], i)
			continue
		}
		same := id{s.Region, s.ID}
		managed[same] = append(managed[same], &out[i])
	}
	var g errgroup.Group
	g.SetLimit(maxCalls)
	for s, states := range managed {
		g.Go(func() error {
			got, err := describe(ctx, c.SecretsManager(s.region), s.id)
			for _, state := range states {
				state.take(got, err)
			}
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

// describe describes a secret. There is no description if the secret does not exist.
func describe(ctx context.Context, c *secretsmanager.Client, id string) (*secretsmanager.DescribeSecretOutput, error) {
	got, err := c.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &id})
	switch {
	case notFound(err):
		return nil, nil
	case err == nil && aws.ToString(got.ARN) == "":
		return nil, awsclient.Incomplete("Secrets Manager", "DescribeSecret", "the ARN")
	default:
		return got, err
	}
}

// take takes the description of a secret, or the reason why there is none.
func (s *State) take(got *secretsmanager.DescribeSecretOutput, err error) {
	if s.Err = err; err != nil || got == nil {
		return
	}
	s.ARN, s.Changed, s.Deleted = *got.ARN, aws.ToTime(got.LastChangedDate), aws.ToTime(got.DeletedDate)
	stage := cmp.Or(s.Stage, current)
	s.Missing = stage
	if s.Version != "" {
		s.Missing = "version " + s.Version
	}
	for id, stages := range got.VersionIdsToStages {
		if id == s.Version || s.Version == "" && slices.Contains(stages, stage) {
			s.Current, s.Missing = id, ""
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

// Remedy returns the sentence that says how to make the secret one that containers can
// read, if Problem names a reason.
func (s State) Remedy() string {
	field := "secrets." + s.Key + ".name"
	if s.Key == "" {
		field = "its name in the compose file"
	}
	switch {
	case !s.Deleted.IsZero():
		return "run `aws secretsmanager restore-secret --secret-id " + s.ID + "`"
	case !s.External:
		return "run `slipway secrets push " + s.Key + "`"
	case s.ARN != "":
		return "correct the stage or the version in " + field
	default:
		return "create it, or correct " + field
	}
}

// Action is the action of IAM that describes the secret.
func (s State) Action() string {
	if s.Store == secret.Parameter {
		return "ssm:GetParameters"
	}
	return "secretsmanager:DescribeSecret"
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
