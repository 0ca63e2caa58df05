package cmd

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	"github.com/rs/zerolog"

	"slipway/registry"
)

// awsAttempts is how often the SDK tries a call that was throttled or cut off, with its
// own backoff. ECR allows ten PutImage a second for an account: a project of many
// services waits its turn, some fifteen seconds in all.
const awsAttempts = 7

// cloud hands out AWS clients.
type cloud struct {
	config aws.Config

	mu  sync.Mutex
	ecr map[string]*ecr.Client
}

// openCloud finds credentials and region by the SDK's default chain, and asks for the
// credentials at once: without them nothing else is worth a try.
func openCloud(ctx context.Context, log zerolog.Logger, region string) (*cloud, error) {
	// The SDK would write its warnings to stderr by itself.
	opts := []func(*config.LoadOptions) error{config.WithLogger(logging.LoggerFunc(func(c logging.Classification, format string, v ...any) {
		log.Debug().Msgf("AWS SDK: %s: "+format, append([]any{c}, v...)...)
	}))}
	if region != "" {
		opts = append(opts, config.WithRegion(region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return nil, &usageError{fmt.Errorf("AWS configuration: %w", err), "check AWS_PROFILE and ~/.aws/config"}
	}
	if cfg.Region == "" {
		return nil, &usageError{errors.New("no AWS region is set"), "set AWS_REGION, or give --region"}
	}
	if cfg.RetryMaxAttempts == 0 { // AWS_MAX_ATTEMPTS and the profile go before
		cfg.RetryMaxAttempts = awsAttempts
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return nil, &awsError{fmt.Errorf("no AWS credentials: %w", err), "log in (aws sso login, AWS_PROFILE, a role), then `aws sts get-caller-identity` shows whose they are"}
	}
	return &cloud{config: cfg, ecr: map[string]*ecr.Client{}}, nil
}

// clients is the ECR client of each region, made once.
func (c *cloud) clients() registry.Clients {
	return func(region string) *ecr.Client {
		if region == "" {
			region = c.config.Region
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		client, ok := c.ecr[region]
		if !ok {
			client = ecr.NewFromConfig(c.config, func(o *ecr.Options) { o.Region = region })
			c.ecr[region] = client
		}
		return client
	}
}

func (c *cloud) s3() *s3.Client { return s3.NewFromConfig(c.config) }

// refused wraps an error of AWS with its exit code and a hint where the kind is known.
func refused(err error) error {
	if err == nil {
		return nil
	}
	return &awsError{err: err, remedy: awsRemedy(err)}
}

// awsRemedy is what to do about the refusals that users meet most.
func awsRemedy(err error) string {
	var hint interface{ Hint() string }
	if errors.As(err, &hint) {
		return hint.Hint()
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	switch code := api.ErrorCode(); code {
	case "AccessDeniedException", "AccessDenied":
		return "allow the action that the message names in the role's or user's policy"
	case "ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "InvalidSignatureException", "InvalidClientTokenId":
		return "log in to AWS again: the credentials are expired or wrong (aws sts get-caller-identity shows whose they are)"
	case "ThrottlingException", "TooManyRequestsException", "LimitExceededException":
		return "run the same command again: it goes on from where it stopped"
	default:
		return ""
	}
}
