package awsclient

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"

	"slipway/internal/awsname"
	"slipway/internal/fault"
)

// quotaReached keeps an error from being retried that says that a quota is
// reached, such as that of the tags of an image ("PutImage" in the ECR API
// reference). The SDK takes it for throttling.
type quotaReached struct{}

// IsErrorRetryable returns aws.FalseTernary for such an error.
func (quotaReached) IsErrorRetryable(err error) aws.Ternary {
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "LimitExceededException" {
		return aws.FalseTernary
	}
	return aws.UnknownTernary
}

// Options say how AWS is reached.
type Options struct {
	// Region is the region that the user names; empty leaves it to the SDK.
	Region string
	// Timeout is the time limit of one attempt of a call.
	Timeout time.Duration
	// Log receives the SDK's own messages; Late each attempt that took too long
	// and is repeated. Either may be nil.
	Log  func(message string)
	Late func(*TimeoutError)
}

// Clients makes the clients of AWS's services. It may be used by several
// goroutines.
type Clients struct {
	Config aws.Config

	mu  sync.Mutex
	ecr map[string]*ecr.Client
}

// ErrNoRegion is in the error of Configure when no region is set anywhere.
var ErrNoRegion = errors.New("no AWS region is set")

// RegionError is a region of the environment or the profile that does not follow
// AWS's grammar. It would become part of the hosts that credentials are sent to.
type RegionError struct{ Err error }

// Error says where the region comes from.
func (e *RegionError) Error() string {
	return "AWS region of the environment or the profile: " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *RegionError) Unwrap() error { return e.Err }

// Kind returns fault.Usage.
func (e *RegionError) Kind() fault.Kind { return fault.Usage }

// Open configures clients by the SDK's default chain, and retrieves credentials
// at once: without them nothing else is worth a try.
func Open(ctx context.Context, o Options) (*Clients, error) {
	c, err := Configure(ctx, o)
	if err != nil {
		return nil, err
	}
	return c, c.Authenticate(ctx)
}

// Configure is Open before the credentials are retrieved. It makes no request.
func Configure(ctx context.Context, o Options) (*Clients, error) {
	// The SDK would write its warnings to stderr by itself.
	opts := []func(*config.LoadOptions) error{config.WithLogger(logging.LoggerFunc(func(c logging.Classification, format string, v ...any) {
		if o.Log != nil {
			o.Log(fmt.Sprintf("AWS SDK: %s: "+format, append([]any{c}, v...)...))
		}
	}))}
	if o.Region != "" {
		opts = append(opts, config.WithRegion(o.Region))
	}
	opts = append(opts, config.WithHTTPClient(newHTTPClient()))
	cfg, err := config.LoadDefaultConfig(ctx, opts...)
	var token config.AssumeRoleTokenProviderNotSetError
	switch {
	case errors.As(err, &token):
		return nil, &MFAError{}
	case err != nil:
		return nil, fault.New(fault.Usage, fmt.Errorf("AWS configuration: %w", err), "check AWS_PROFILE and ~/.aws/config")
	}
	if cfg.Region == "" {
		return nil, fault.As(fault.Usage, ErrNoRegion)
	}
	if err := awsname.CheckRegion(cfg.Region); err != nil {
		return nil, &RegionError{err}
	}
	// AWS_MAX_ATTEMPTS, AWS_RETRY_MODE and the profile go before.
	if cfg.RetryMaxAttempts == 0 {
		cfg.RetryMaxAttempts = maxAttempts
	}
	if cfg.RetryMode == "" {
		cfg.Retryer = newRetryer
	}
	late := o.Late
	if late == nil {
		late = func(*TimeoutError) {}
	}
	Bound(&cfg, o.Timeout, late)
	return &Clients{Config: RedactCredentials(ctx, cfg), ecr: map[string]*ecr.Client{}}, nil
}

// Authenticate retrieves credentials.
func (c *Clients) Authenticate(ctx context.Context) error {
	if _, err := c.Config.Credentials.Retrieve(ctx); err != nil {
		return fault.New(fault.AWS, fmt.Errorf("no AWS credentials: %w", err), "log in (aws sso login, AWS_PROFILE, a role), then `aws sts get-caller-identity` shows whose they are")
	}
	return nil
}

// Registries returns the function that gives the ECR client of a region, made
// once; an empty region is the configured one.
func (c *Clients) Registries() func(region string) *ecr.Client {
	return func(region string) *ecr.Client {
		if region == "" {
			region = c.Config.Region
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		client, ok := c.ecr[region]
		if !ok {
			client = ecr.NewFromConfig(c.Config, func(o *ecr.Options) { o.Region = region })
			c.ecr[region] = client
		}
		return client
	}
}

// fewAttempts is for services of which a private network may have no endpoints
// although it has those of ECR, such as STS.
const fewAttempts = 3

// Account returns the id of the account that the credentials belong to. It makes
// one request, GetCallerIdentity, which needs no permission.
func (c *Clients) Account(ctx context.Context) (string, error) {
	client := sts.NewFromConfig(c.Config, func(o *sts.Options) { o.RetryMaxAttempts = fewAttempts })
	out, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err == nil && aws.ToString(out.Account) == "" {
		err = Incomplete("STS", "GetCallerIdentity", "the account")
	}
	if err != nil {
		return "", fmt.Errorf("asking for the account of the credentials: %w", err)
	}
	return *out.Account, nil
}

// S3 returns a client of S3.
func (c *Clients) S3() *s3.Client { return s3.NewFromConfig(c.Config) }

// ECS returns a client of ECS.
func (c *Clients) ECS() *ecs.Client { return ecs.NewFromConfig(c.Config) }

// CodeDeploy returns a client of CodeDeploy.
func (c *Clients) CodeDeploy() *codedeploy.Client { return codedeploy.NewFromConfig(c.Config) }

// Scaling returns a client of Application Auto Scaling.
func (c *Clients) Scaling() *applicationautoscaling.Client {
	return applicationautoscaling.NewFromConfig(c.Config)
}

// Logs returns a client of CloudWatch Logs.
func (c *Clients) Logs() *cloudwatchlogs.Client { return cloudwatchlogs.NewFromConfig(c.Config) }

// Events returns a client of EventBridge.
func (c *Clients) Events() *eventbridge.Client {
	return eventbridge.NewFromConfig(c.Config, func(o *eventbridge.Options) { o.RetryMaxAttempts = min(o.RetryMaxAttempts, fewAttempts) })
}

// Scheduler returns a client of EventBridge Scheduler.
func (c *Clients) Scheduler() *scheduler.Client {
	return scheduler.NewFromConfig(c.Config, func(o *scheduler.Options) { o.RetryMaxAttempts = min(o.RetryMaxAttempts, fewAttempts) })
}

// CloudFormation returns a client of CloudFormation in the configured region.
func (c *Clients) CloudFormation() *cloudformation.Client {
	return cloudformation.NewFromConfig(c.Config)
}

// SecretsManager returns a client of Secrets Manager in a region; an empty one is
// the configured region.
func (c *Clients) SecretsManager(region string) *secretsmanager.Client {
	return secretsmanager.NewFromConfig(c.Config, func(o *secretsmanager.Options) {
		if region != "" {
			o.Region = region
		}
	})
}

// Parameters returns a client of Systems Manager's Parameter Store in a region; an
// empty one is the configured region.
func (c *Clients) Parameters(region string) *ssm.Client {
	return ssm.NewFromConfig(c.Config, func(o *ssm.Options) {
		if region != "" {
			o.Region = region
		}
	})
}
