package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
)

// doctorAttempts are fewer tries than build's: somebody waits for the answer, and one
// that comes late is news too.
const doctorAttempts = 3

func (d *doctor) configure(ctx context.Context) (*awsclient.Clients, error) {
	if d.options.AWSError != nil {
		return nil, d.options.AWSError
	}
	c, err := awsclient.Configure(ctx, d.options.AWS)
	if err == nil {
		c.Config.RetryMaxAttempts = min(c.Config.RetryMaxAttempts, doctorAttempts)
	}
	return c, err
}

func (d *doctor) checkRegion(context.Context) []Finding {
	c, err := d.cloud()
	if err != nil {
		return []Finding{broken(err)}
	}
	if endpoint := c.Config.BaseEndpoint; endpoint != nil {
		return []Finding{Fine("and all calls go to %s", *endpoint).of(c.Config.Region)}
	}
	return []Finding{Fine("").of(c.Config.Region)}
}

// access is the result of the first two calls to AWS, which need next to no
// permission.
type access struct {
	// blocked is the reason for which no other check should call AWS; empty if
	// they may.
	blocked string
	caller  *sts.GetCallerIdentityOutput
	// callerErr and loginErr are why the caller is not known, and why there is no login
	// for the registry.
	callerErr, loginErr error
	// expires is when that login ends.
	expires time.Time
	// ahead is how much this machine's clock is ahead of AWS's, if timed.
	ahead time.Duration
	timed bool
}

// enter finds credentials and asks STS and ECR who they are and for a login. STS alone may
// be out of reach, as it is in a network that has endpoints for ECR only. The error is for
// what keeps the other checks from AWS.
func (d *doctor) enter(ctx context.Context) (access, error) {
	c, err := d.cloud()
	if err != nil {
		return access{}, err
	}
	if err := c.Authenticate(ctx); err != nil {
		return access{blocked: "no credentials"}, err
	}
	var a access
	var both sync.WaitGroup
	var named, logged clockReading
	both.Go(func() { named = a.identify(ctx, sts.NewFromConfig(c.Config)) })
	both.Go(func() { logged = a.logIn(ctx, c.Registries()("")) })
	both.Wait()
	for _, r := range []clockReading{named, logged} {
		if r.ok && !a.timed {
			a.ahead, a.timed = r.ahead, true
		}
	}
	switch {
	case refusesCredentials(a.callerErr):
		a.blocked, err = "the credentials are refused", a.callerErr
	case refusesCredentials(a.loginErr):
		a.blocked, err = "the credentials are refused", a.loginErr
	case awsclient.Unreachable(a.callerErr) && awsclient.Unreachable(a.loginErr):
		a.blocked, err = "AWS cannot be reached", a.callerErr
	}
	return a, fault.As(fault.AWS, err)
}

func (a *access) identify(ctx context.Context, client *sts.Client) clockReading {
	out, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err == nil && (out.Account == nil || out.Arn == nil) {
		err = awsclient.Incomplete("STS", "GetCallerIdentity", "the caller")
	}
	if err != nil {
		a.callerErr = fmt.Errorf("asking whose the credentials are: %w", err)
		return readClock(middleware.Metadata{}, err)
	}
	a.caller = out
	return readClock(out.ResultMetadata, nil)
}

func (a *access) logIn(ctx context.Context, client *ecr.Client) clockReading {
	out, err := client.GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err == nil && len(out.AuthorizationData) == 0 {
		err = awsclient.Incomplete("ECR", "GetAuthorizationToken", "a token")
	}
	if err != nil {
		a.loginErr = fmt.Errorf("logging in to the registry: %w", err)
		return readClock(middleware.Metadata{}, err)
	}
	if len(out.AuthorizationData) > 0 && out.AuthorizationData[0].ExpiresAt != nil {
		a.expires = *out.AuthorizationData[0].ExpiresAt
	}
	return readClock(out.ResultMetadata, nil)
}

func (d *doctor) checkCredentials(context.Context) []Finding {
	a, err := d.access()
	switch {
	case err != nil:
		return []Finding{broken(err)}
	case a.caller == nil:
		return []Finding{Warned("build does not need STS; let it be reached to see who calls", "whose they are is not known: %v", a.callerErr)}
	default:
		return []Finding{Fine("account %s", *a.caller.Account).of(*a.caller.Arn)}
	}
}

func (d *doctor) checkLogin(context.Context) []Finding {
	a, _ := d.access()
	if a.loginErr != nil {
		return []Finding{broken(fault.As(fault.AWS, a.loginErr))}
	}
	return []Finding{Fine("until %s", a.expires.UTC().Format(time.DateTime+" MST"))}
}

// How far the clock may be off: AWS refuses a signature that is more than five minutes old
// or early ("Signature Version 4" in the IAM user guide, and STS's RequestExpired).
const (
	maxSkew  = 5 * time.Minute
	someSkew = time.Minute
)

func (d *doctor) checkClock(context.Context) []Finding {
	a, _ := d.access()
	if !a.timed {
		return []Finding{Unchecked("", "%s", cmp.Or(a.blocked, "AWS has not answered"))}
	}
	return []Finding{clockFinding(a.ahead)}
}

func clockFinding(ahead time.Duration) Finding {
	off, where := ahead.Abs().Round(time.Second), "ahead of"
	if ahead < 0 {
		where = "behind"
	}
	const remedy = "set this machine's clock (timedatectl set-ntp true, or chronyd)"
	switch {
	case off > maxSkew:
		return Finding{Status: StatusFailed, Detail: fmt.Sprintf("%s %s AWS's: beyond %s signatures are refused", off, where, maxSkew), Remedy: remedy, Kind: fault.AWS}
	case off > someSkew:
		return Warned(remedy, "%s %s AWS's: beyond %s signatures are refused", off, where, maxSkew)
	default:
		return Fine("agrees with AWS's")
	}
}

// clockReading is how much this machine's clock is ahead of AWS's, by one answer.
type clockReading struct {
	ahead time.Duration
	ok    bool
}

// readClock compares the Date of an answer with when it came; the answer may be a refusal.
func readClock(m middleware.Metadata, err error) clockReading {
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) && answer.Response != nil {
		date, bad := http.ParseTime(answer.Response.Header.Get("Date"))
		return clockReading{time.Since(date), bad == nil}
	}
	date, dated := awsmiddleware.GetServerTime(m)
	at, came := awsmiddleware.GetResponseAt(m)
	return clockReading{at.Sub(date), err == nil && dated && came}
}

// refusesCredentials reports whether AWS refuses the credentials, whatever they
// are for.
func refusesCredentials(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode() {
	case "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException", "InvalidSignatureException",
		"SignatureDoesNotMatch", "RequestExpired", "AuthFailure", "IncompleteSignature", "MissingAuthenticationToken", "MissingAuthenticationTokenException":
		return true
	default:
		return false
	}
}
