package cmd

import (
	"context"
	"errors"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/rogpeppe/go-internal/testscript"

	"slipway/internal/testkit"
)

// writeSecret puts a value into a secret, as others would.
func writeSecret(ctx context.Context, url, name, value string) error {
	c := secretsmanager.NewFromConfig(testkit.AWSConfig(url))
	_, err := c.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &name, SecretString: &value})
	if missing := (*types.ResourceNotFoundException)(nil); errors.As(err, &missing) {
		_, err = c.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &name, SecretString: &value})
	}
	return err
}

// secret NAME VALUE puts a value into a secret; secret -deleted NAME schedules it for
// deletion; secret -arn NAME sets ARN to its ARN.
func scriptSecret(ts *testscript.TestScript, _ bool, args []string) {
	ctx, url := context.Background(), sandboxOf(ts).URL()
	c := secretsmanager.NewFromConfig(testkit.AWSConfig(url))
	switch args[0] {
	case "-deleted":
		_, err := c.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: &args[1]})
		ts.Check(err)
	case "-arn":
		out, err := c.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &args[1]})
		ts.Check(err)
		ts.Setenv("ARN", aws.ToString(out.ARN))
	default:
		ts.Check(writeSecret(ctx, url, args[0], args[1]))
	}
}

// parameter NAME VALUE puts an encrypted parameter.
func scriptParameter(ts *testscript.TestScript, _ bool, args []string) {
	c := ssm.NewFromConfig(testkit.AWSConfig(sandboxOf(ts).URL()))
	_, err := c.PutParameter(context.Background(), &ssm.PutParameterInput{
		Name: &args[0], Value: &args[1], Type: ssmtypes.ParameterTypeSecureString, Overwrite: aws.Bool(true),
	})
	ts.Check(err)
}

// keeps NAME VALUE [VERSIONS] checks the current value of a secret and the number of
// its versions; with ! that it has another value, or none.
func keepsSecret(ts *testscript.TestScript, neg bool, args []string) {
	value, versions := sandboxOf(ts).SecretValue(args[0])
	if (value == args[1]) == neg {
		ts.Fatalf("the value of %s is %q, want %q: %v", args[0], value, args[1], !neg)
	}
	if len(args) > 2 && strconv.Itoa(versions) != args[2] {
		ts.Fatalf("%s has %d versions, want %s", args[0], versions, args[2])
	}
}
