package cmd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"github.com/rs/zerolog"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/registry"
)

// How often the SDK tries a call that was throttled or cut off, and the longest pause
// between two tries: some fifteen seconds in all.
const (
	awsAttempts = 8
	awsBackoff  = 5 * time.Second
)

// newRetryer slows down once AWS throttles: ECR allows ten PutImage a second for an
// account, and a project of many services moves many tags. Sixty services at three a
// second took 45 s this way and 68 s by backing off alone, refused 22 times, not 126.
// The SDK's budget of retries is left out: it would end a large project in the middle.
func newRetryer() aws.Retryer {
	return retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
		o.StandardOptions = append(o.StandardOptions, func(o *retry.StandardOptions) {
			o.MaxBackoff, o.RateLimiter = awsBackoff, ratelimit.None
		})
	})
}

// awsClients hands out AWS clients.
type awsClients struct {
	config aws.Config

	mu  sync.Mutex
	ecr map[string]*ecr.Client
}

// openAWS finds credentials and region by the SDK's default chain, and asks for the
// credentials at once: without them nothing else is worth a try.
func openAWS(ctx context.Context, log zerolog.Logger, o awsOptions) (*awsClients, error) {
	c, err := configureAWS(ctx, log, o)
	if err != nil {
		return nil, err
	}
	if err := c.authenticate(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// authenticate asks the chain for credentials.
func (c *awsClients) authenticate(ctx context.Context) error {
	if _, err := c.config.Credentials.Retrieve(ctx); err != nil {
		return fault.New(fault.AWS, fmt.Errorf("no AWS credentials: %w", err), "log in (aws sso login, AWS_PROFILE, a role), then `aws sts get-caller-identity` shows whose they are")
	}
	return nil
}

// configureAWS is openAWS before the credentials are asked for.
func configureAWS(ctx context.Context, log zerolog.Logger, o awsOptions) (*awsClients, error) {
	// The SDK would write its warnings to stderr by itself.
	opts := []func(*config.LoadOptions) error{config.WithLogger(logging.LoggerFunc(func(c logging.Classification, format string, v ...any) {
		log.Debug().Msgf("AWS SDK: %s: "+format, append([]any{c}, v...)...)
	}))}
	if o.region != "" {
		opts = append(opts, config.WithRegion(o.region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return nil, fault.New(fault.Usage, fmt.Errorf("AWS configuration: %w", err), "check AWS_PROFILE and ~/.aws/config")
	}
	if cfg.Region == "" {
		return nil, fault.New(fault.Usage, errors.New("no AWS region is set"), "set AWS_REGION, or give --region")
	}
	if err := checkRegion(o.region, cfg.Region); err != nil {
		return nil, err
	}
	// AWS_MAX_ATTEMPTS, AWS_RETRY_MODE and the profile go before.
	if cfg.RetryMaxAttempts == 0 {
		cfg.RetryMaxAttempts = awsAttempts
	}
	if cfg.RetryMode == "" {
		cfg.Retryer = newRetryer
	}
	awsclient.Bound(&cfg, o.timeout, func(late *awsclient.TimeoutError) { log.Warn().Msgf("%v; trying again", late) })
	return &awsClients{config: knowCredentials(ctx, cfg), ecr: map[string]*ecr.Client{}}, nil
}

// clients is the ECR client of each region, made once.
func (c *awsClients) clients() registry.Clients {
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

func (c *awsClients) s3() *s3.Client { return s3.NewFromConfig(c.config) }

func (c *awsClients) ecs() *ecs.Client { return ecs.NewFromConfig(c.config) }

func (c *awsClients) codeDeploy() *codedeploy.Client { return codedeploy.NewFromConfig(c.config) }

func (c *awsClients) scaling() *applicationautoscaling.Client {
	return applicationautoscaling.NewFromConfig(c.config)
}

func (c *awsClients) logs() *cloudwatchlogs.Client { return cloudwatchlogs.NewFromConfig(c.config) }

// refused gives an error of AWS its kind.
func refused(err error) error { return fault.As(fault.AWS, err) }
