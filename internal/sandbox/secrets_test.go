package sandbox_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

func secretsClient(s *sandbox.Server) *secretsmanager.Client {
	return secretsmanager.NewFromConfig(testkit.AWSConfig(s.URL()))
}

// wantRefusal fails the test unless an error of AWS has a code and a text.
func wantRefusal(t *testing.T, what string, err error, code, text string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), text) {
		t.Errorf("%s: %v, want %s: %s", what, err, code, text)
	}
}

// TestSecretVersions moves AWSCURRENT and AWSPREVIOUS as PutSecretValue does, and
// takes the same request twice for one.
func TestSecretVersions(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c, name := secretsClient(s), aws.String("shop/db")
	token := func(letter string) *string { return aws.String(strings.Repeat(letter, 32)) }
	create := func(letter, value string) error {
		_, err := c.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: name, SecretString: &value, ClientRequestToken: token(letter)})
		return err
	}
	put := func(letter, value string) error {
		_, err := c.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: name, SecretString: &value, ClientRequestToken: token(letter)})
		return err
	}
	wantRefusal(t, "PutSecretValue without a secret", put("a", "one"), "ResourceNotFoundException", "can't find")
	if err := errors.Join(create("a", "one"), create("a", "one")); err != nil {
		t.Fatalf("CreateSecret twice with one token: %v", err)
	}
	wantRefusal(t, "CreateSecret with another value", create("a", "two"), "ResourceExistsException", "already exists")
	if err := errors.Join(put("b", "two"), put("b", "two"), put("c", "three")); err != nil {
		t.Fatalf("PutSecretValue: %v", err)
	}
	wantRefusal(t, "PutSecretValue with a used token", put("b", "four"), "ResourceExistsException", "already in use")
	wantRefusal(t, "PutSecretValue of 64 KiB and one byte", put("d", strings.Repeat("x", 65537)), "ValidationException", "65536")
	described, err := c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: name})
	if err != nil {
		t.Fatal(err)
	}
	got := described.VersionIdsToStages
	if len(got) != 2 || !slices.Equal(got[*token("c")], []string{"AWSCURRENT"}) || !slices.Equal(got[*token("b")], []string{"AWSPREVIOUS"}) {
		t.Errorf("versions %v, want c current and b previous", got)
	}
	arn := aws.ToString(described.ARN)
	if !strings.HasPrefix(arn, "arn:aws:secretsmanager:us-east-1:000000000000:secret:shop/db-") || len(arn) != len("arn:aws:secretsmanager:us-east-1:000000000000:secret:shop/db-")+6 {
		t.Errorf("ARN %q, want one that ends in six characters", arn)
	}
	for _, id := range []string{"shop/db", arn, arn[:len(arn)-7]} {
		out, err := c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &id})
		if err != nil || aws.ToString(out.SecretString) != "three" {
			t.Errorf("GetSecretValue of %s: %v, want three", id, err)
		}
	}
	if value, n := s.SecretValue("shop/db"); value != "three" || n != 3 {
		t.Errorf("SecretValue: %q in %d versions, want three in 3", value, n)
	}
}

// TestSecretScheduledForDeletion refuses to read and write a secret that goes, until
// it is gone.
func TestSecretScheduledForDeletion(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c, name, value := secretsClient(s), aws.String("shop/db"), aws.String("one")
	create := func() error {
		_, err := c.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: name, SecretString: value})
		return err
	}
	if err := create(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: name, RecoveryWindowInDays: aws.Int64(7)}); err != nil {
		t.Fatal(err)
	}
	_, err := c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: name})
	wantRefusal(t, "GetSecretValue", err, "InvalidRequestException", "marked for deletion")
	_, err = c.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: name, SecretString: value})
	wantRefusal(t, "PutSecretValue", err, "InvalidRequestException", "marked for deletion")
	wantRefusal(t, "CreateSecret", create(), "InvalidRequestException", "scheduled for deletion")
	described, err := c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: name})
	if err != nil || described.DeletedDate == nil {
		t.Errorf("DescribeSecret: %v, want a date of deletion", err)
	}
	s.Advance(7 * 24 * time.Hour)
	if err := create(); err != nil {
		t.Errorf("CreateSecret after the deletion: %v", err)
	}
	if _, err := c.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: name}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.RestoreSecret(t.Context(), &secretsmanager.RestoreSecretInput{SecretId: name}); err != nil {
		t.Fatal(err)
	}
	if _, err = c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: name}); err != nil {
		t.Errorf("GetSecretValue after RestoreSecret: %v", err)
	}
}

// TestParameters finds parameters by name and ARN, and shows no decrypted value
// unless asked.
func TestParameters(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := ssm.NewFromConfig(testkit.AWSConfig(s.URL()))
	if _, err := c.PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("/shop/key"), Value: aws.String("hush"), Type: types.ParameterTypeSecureString}); err != nil {
		t.Fatal(err)
	}
	arn := "arn:aws:ssm:us-east-1:000000000000:parameter/shop/key"
	for _, decrypt := range []bool{false, true} {
		out, err := c.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{"/shop/key", arn, "other"}, WithDecryption: &decrypt})
		if err != nil || len(out.Parameters) != 2 || !slices.Equal(out.InvalidParameters, []string{"other"}) {
			t.Fatalf("GetParameters: %+v, %v, want two found and one not", out, err)
		}
		if got := aws.ToString(out.Parameters[0].Value); (got == "hush") != decrypt {
			t.Errorf("decrypted: %v, value %q", decrypt, got)
		}
	}
	_, err := c.PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("/shop/key"), Value: aws.String("other"), Type: types.ParameterTypeString})
	wantRefusal(t, "PutParameter again", err, "ParameterAlreadyExists", "overwrite")
}
