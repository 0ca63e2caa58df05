package sandbox_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

func TestIAM(t *testing.T) {
	t.Parallel()
	s := testkit.StartSandbox(t, sandbox.Options{})
	cfg := testkit.AWSConfig(s.URL())
	client := iam.NewFromConfig(cfg)

	const (
		session = "arn:aws:sts::000000000000:assumed-role/build/job"
		role    = "arn:aws:iam::000000000000:role/service-role/build"
	)
	s.SetCaller(session, role)
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || *who.Arn != session {
		t.Fatalf("GetCallerIdentity = %+v, %v, want %s", who, err, session)
	}
	got, err := client.GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("build")})
	if err != nil || *got.Role.Arn != role || *got.Role.Path != "/service-role/" {
		t.Fatalf("GetRole(build) = %+v, %v, want %s", got, err, role)
	}
	var none *types.NoSuchEntityException
	if _, err := client.GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("other")}); !errors.As(err, &none) {
		t.Errorf("GetRole(other) = %v, want NoSuchEntityException", err)
	}

	s.Deny("ecr:Put*")
	ask := &iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: aws.String(role), MaxItems: aws.Int32(3),
		ActionNames: []string{"ecr:PutImage", "ecr:BatchGetImage"}, ResourceArns: []string{"arn:aws:ecr:::a", "arn:aws:ecr:::b"},
	}
	decisions := map[string]string{}
	pages := 0
	for p := iam.NewSimulatePrincipalPolicyPaginator(client, ask); p.HasMorePages(); pages++ {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.EvaluationResults {
			decisions[*e.EvalActionName+" "+*e.EvalResourceName] = string(e.EvalDecision)
		}
	}
	if len(decisions) != 4 || pages != 2 || decisions["ecr:PutImage arn:aws:ecr:::b"] != "implicitDeny" || decisions["ecr:BatchGetImage arn:aws:ecr:::a"] != "allowed" {
		t.Errorf("%d pages: %v", pages, decisions)
	}

	// A session is not an entity, and an unknown role is not there.
	var invalid *types.InvalidInputException
	ask.PolicySourceArn = aws.String(session)
	if _, err := client.SimulatePrincipalPolicy(t.Context(), ask); !errors.As(err, &invalid) {
		t.Errorf("simulating a session: got error %v, want %T", err, invalid)
	}
	ask.PolicySourceArn = aws.String("arn:aws:iam::000000000000:role/build")
	if _, err := client.SimulatePrincipalPolicy(t.Context(), ask); !errors.As(err, &none) {
		t.Errorf("simulating an unknown role: got error %v, want %T", err, none)
	}

	// What is denied is refused, IAM's own actions as well.
	denied := func(err error, code string) {
		t.Helper()
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode() != code {
			t.Errorf("%v, want %s", err, code)
		}
	}
	_, err = ecr.NewFromConfig(cfg).PutLifecyclePolicy(t.Context(), &ecr.PutLifecyclePolicyInput{RepositoryName: aws.String("a"), LifecyclePolicyText: aws.String("{}")})
	denied(err, "AccessDeniedException")
	s.Deny("iam:GetRole")
	_, err = client.GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("build")})
	denied(err, "AccessDenied")
	s.Deny()
	if _, err = client.GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("build")}); err != nil {
		t.Error(err)
	}
}
