package awsclient

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"

	"slipway/internal/redact"
)

// knownCredentials make AWS's credentials known to the redactor whenever they
// are used.
type knownCredentials struct {
	*aws.CredentialsCache
	secrets *redact.Redactor
}

// Retrieve returns the credentials.
func (c knownCredentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	out, err := c.CredentialsCache.Retrieve(ctx)
	c.secrets.AddKey(out.SecretAccessKey)
	c.secrets.AddKey(out.SessionToken)
	return out, err
}

// RedactCredentials lets the redactor of the context know the credentials of a
// configuration.
func RedactCredentials(ctx context.Context, c aws.Config) aws.Config {
	if cache, ok := c.Credentials.(*aws.CredentialsCache); ok {
		c.Credentials = knownCredentials{cache, redact.FromContext(ctx)}
	}
	return c
}
