package iam

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"slipway/internal/golden"
)

// shopScope is a project with nothing known of the account.
var shopScope = Scope{
	Repositories: []Repository{{Name: "shop/express"}, {Name: "shop/flask"}},
	Services:     []Service{{"shop", "shop"}},
}

// TestDocs keeps the examples in docs/iam what the table says.
func TestDocs(t *testing.T) {
	withArtifact, withBucket, withSource := shopScope, shopScope, shopScope
	withArtifact.Artifact = "BUCKET/shop/imagedefinitions.zip"
	withBucket.Buckets = []string{"BUCKET"}
	withSource.Source, withSource.Pipeline = "BUCKET/shop/source.zip", "shop"
	withSettings := shopScope
	withSettings.Stack, withSettings.Secrets, withSettings.Before = "shop", []string{"shop/db_password"}, []string{"shop-migrate"}
	withCache := shopScope
	withCache.Cache = "BUCKET/shop/"
	for name, use := range map[string]Use{
		"build":                  {Commands: []string{"build"}, Scope: shopScope},
		"build-first":            {Commands: []string{"build"}, CreateRepositories: true, Scope: withArtifact},
		"build-s3-cache":         {Commands: []string{"build"}, Scope: withCache},
		"build-rollout":          {Commands: []string{"build"}, Rollout: true, Scope: shopScope},
		"build-rollout-settings": {Commands: []string{"build"}, Rollout: true, Tags: true, Scope: withSettings},
		"build-rollout-create":   {Commands: []string{"build"}, CreateRepositories: true, CreateService: true, Rollout: true, Tags: true, Scope: withSettings},
		"pull-request":           {Commands: []string{"build"}, Untrusted: true, Scope: shopScope},
		"operator":               {Commands: []string{"rollback", "rollout", "revisions", "status", "stop", "start"}, Scope: shopScope},
		"operator-deploy":        {Commands: []string{"rollback", "rollout", "revisions", "status"}, CodeDeploy: true, Tags: true, Scope: shopScope},
		"reader":                 {Commands: []string{"revisions", "status"}, Scope: shopScope},
		"doctor":                 {Commands: []string{"doctor"}, Scope: withArtifact},
		"retention":              {Commands: []string{"retention"}, Scope: withBucket},
		"submit":                 {Commands: []string{"submit"}, Wait: true, Scope: withSource},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := use.Policy()
			if err != nil {
				t.Fatal(err)
			}
			text, err := p.JSON()
			if err != nil {
				t.Fatal(err)
			}
			golden.Check(t, "../../../docs/iam/"+name+".json", text)
			// The order of the input does not change the output.
			slices.Reverse(use.Commands)
			use.Repositories = slices.Clone(use.Repositories)
			slices.Reverse(use.Repositories)
			use.Services = append(slices.Clone(use.Services), use.Services...)
			again, err := use.Policy()
			if other, _ := again.JSON(); err != nil || string(other) != string(text) {
				t.Errorf("in another order: %v\n%s", err, other)
			}
		})
	}
}

func TestPolicyRefused(t *testing.T) {
	for _, tt := range []struct {
		use  Use
		want string
	}{
		{Use{}, "no command"},
		{Use{Commands: []string{"version"}}, `"version"`},
		{Use{Commands: []string{"build", ""}}, `""`},
		{Use{Commands: []string{"rollback"}}, "no ECS service"},
		{Use{Commands: []string{"build"}, Rollout: true}, "no ECS service"},
		{Use{Commands: []string{"revisions"}, Named: true}, "no ECS service"},
		{Use{Commands: []string{"build"}, Untrusted: true, Rollout: true, Scope: shopScope}, "an untrusted build deploys nothing"},
		{Use{Commands: []string{"build"}, Untrusted: true, CreateRepositories: true}, "an untrusted build deploys nothing"},
	} {
		_, err := tt.use.Policy()
		var bad *UseError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), tt.want) || bad.Hint() == "" && bad.Reason == OtherReason {
			t.Errorf("%+v: got %v, want …%s…", tt.use, err, tt.want)
		}
	}
	for field, change := range map[string]func(*Scope){
		"Partition":        func(s *Scope) { s.Partition = "aws-*" },
		"Region":           func(s *Scope) { s.Region = "*" },
		"Account":          func(s *Scope) { s.Account = "12345678901?" },
		"Pipeline":         func(s *Scope) { s.Pipeline = "shop*" },
		"Roles":            func(s *Scope) { s.Roles = []string{"exec", "arn:aws:iam::123456789012:role/*"} },
		"LogGroups":        func(s *Scope) { s.LogGroups = []string{"/ecs/${aws:username}"} },
		"Caller":           func(s *Scope) { s.Caller = "*" },
		"DeploymentGroups": func(s *Scope) { s.DeploymentGroups = []string{"shop/*"} },
		"Services":         func(s *Scope) { s.Services = []Service{{"shop*", "sh?p"}} },
		"Repositories":     func(s *Scope) { s.Repositories = []Repository{{Name: "shop/*"}} },
		"Stack":            func(s *Scope) { s.Stack = "shop*" },
		"Before":           func(s *Scope) { s.Before = []string{"shop-*"} },
	} {
		u := Use{Commands: []string{"build"}, Scope: shopScope}
		change(&u.Scope)
		_, err := u.Policy()
		var bad *UseError
		if !errors.As(err, &bad) || bad.Field != field || bad.Hint() == "" {
			t.Errorf("%s: got %v, want a UseError of the field with a hint", field, err)
		}
	}
	for _, ok := range []Use{{Commands: []string{"build"}}, {Commands: []string{"revisions"}}, {Commands: []string{"retention"}}} {
		if _, err := ok.Policy(); err != nil {
			t.Errorf("Policy of %+v = %v, want no error", ok, err)
		}
	}
}

func TestPolicyConditions(t *testing.T) {
	actions := func(u Use) []string {
		mirrors := u.Mirrors
		u.Scope = shopScope
		u.Mirrors = mirrors
		p, err := u.Policy()
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, s := range p.Statement {
			out = append(out, s.Action...)
		}
		return out
	}
	for _, tt := range []struct {
		use  Use
		has  string
		lack string
	}{
		{Use{Commands: []string{"build"}}, "ecs:ListTasks", "ecr:CreateRepository ecs:UpdateService s3:PutObject"},
		{Use{Commands: []string{"build"}, NoLatest: true}, "ecr:PutImage ecr:BatchDeleteImage", "ecs:ListTasks ecr:DescribeImages ecr:GetLifecyclePolicy ecr:PutLifecyclePolicy"},
		{Use{Commands: []string{"build"}, Untrusted: true}, "ecr:PutImage", "ecs:ListTasks ecr:DescribeImages ecr:GetLifecyclePolicy ecr:PutLifecyclePolicy ecr:BatchDeleteImage"},
		{Use{Commands: []string{"build"}, CreateRepositories: true}, "ecr:CreateRepository ecr:TagResource", "ecs:UpdateService"},
		{Use{Commands: []string{"build"}, Scope: Scope{Mirrors: []Repository{{Name: "hub"}}}}, "ecr:BatchImportUpstreamImage ecr:CreateRepository", "ecr:TagResource"},
		{Use{Commands: []string{"build"}, Untrusted: true, Scope: Scope{Mirrors: []Repository{{Name: "hub"}}}}, "ecr:BatchGetImage", "ecr:BatchImportUpstreamImage ecr:CreateRepository"},
		{Use{Commands: []string{"build"}, Rollout: true}, "iam:PassRole ecs:UpdateService", "ecs:TagResource codedeploy:CreateDeployment"},
		{Use{Commands: []string{"build"}, Rollout: true, CreateService: true}, "ecs:CreateService ecs:UpdateService", "iam:CreateServiceLinkedRole"},
		{Use{Commands: []string{"rollout"}, CreateService: true}, "ecs:CreateService", "ecr:CreateRepository"},
		{Use{Commands: []string{"build", "rollback"}, CreateService: true}, "ecs:UpdateService", "ecs:CreateService"},
		{Use{Commands: []string{"rollback"}, Tags: true}, "ecs:TagResource", "ecs:UntagResource"},
		{Use{Commands: []string{"rollback"}, CodeDeploy: true}, "codedeploy:CreateDeployment", "ecs:UpdateService ecs:ListServiceDeployments"},
		{Use{Commands: []string{"rollback"}, RequireScan: true}, "ecr:DescribeImageScanFindings ecr:BatchGetRepositoryScanningConfiguration", "ecr:DescribeImageSigningStatus"},
		{Use{Commands: []string{"build"}, Rollout: true, RequireSignature: true}, "ecr:DescribeImageSigningStatus", "ecr:DescribeImageScanFindings"},
		{Use{Commands: []string{"build"}, RequireScan: true}, "ecr:PutImage", "ecr:DescribeImageScanFindings"},
		// Another command's flag changes nothing.
		{Use{Commands: []string{"status"}, Rollout: true, CreateRepositories: true, Tags: true}, "ecs:ListTasks", "ecs:UpdateService ecr:CreateRepository ecs:TagResource"},
		{Use{Commands: []string{"submit"}}, "s3:GetObject s3:PutObject", "codepipeline:GetPipelineExecution ecr:GetAuthorizationToken"},
		{Use{Commands: []string{"submit"}, Wait: true}, "codepipeline:GetPipelineExecution", "codepipeline:StartPipelineExecution"},
		{Use{Commands: []string{"build"}, Wait: true}, "ecr:PutImage", "codepipeline:GetPipelineExecution s3:GetObject"},
		{Use{Commands: []string{"retention"}, Preview: true}, "ecr:StartLifecyclePolicyPreview", "ecr:PutLifecyclePolicy"},
	} {
		got := actions(tt.use)
		for a := range strings.FieldsSeq(tt.has) {
			if !slices.Contains(got, a) {
				t.Errorf("%+v lacks %s", tt.use, a)
			}
		}
		for a := range strings.FieldsSeq(tt.lack) {
			if slices.Contains(got, a) {
				t.Errorf("%+v has %s", tt.use, a)
			}
		}
	}
}

func TestScope(t *testing.T) {
	place := Scope{Region: "eu-west-1", Account: "123456789012"}
	with := func(change func(*Scope)) Scope {
		s := place
		change(&s)
		return s
	}
	for _, tt := range []struct {
		name  string
		scope Scope
		on    resource
		want  string
	}{
		{"repository", with(func(s *Scope) { s.Repositories = []Repository{{Name: "a/b"}} }), repositories, "arn:aws:ecr:eu-west-1:123456789012:repository/a/b"},
		{"repository elsewhere", with(func(s *Scope) { s.Repositories = []Repository{{"210987654321", "cn-north-1", "b"}} }), repositories, "arn:aws-cn:ecr:cn-north-1:210987654321:repository/b"},
		{"mirror", with(func(s *Scope) { s.Mirrors = []Repository{{"210987654321", "us-east-1", "hub"}} }), mirrored, "arn:aws:ecr:us-east-1:210987654321:repository/hub/*"},
		{"mirror without a prefix", with(func(s *Scope) { s.Mirrors = []Repository{{}} }), mirrored, "arn:aws:ecr:eu-west-1:123456789012:repository/*"},
		{"no repository", place, repositories, "arn:aws:ecr:eu-west-1:123456789012:repository/REPOSITORY"},
		{"service", with(func(s *Scope) { s.Services = []Service{{"c", "s"}} }), services, "arn:aws:ecs:eu-west-1:123456789012:service/c/s"},
		{"default cluster", with(func(s *Scope) { s.Services = []Service{{"", "s"}} }), tasks, "arn:aws:ecs:eu-west-1:123456789012:task/default/*"},
		{"cluster by ARN", with(func(s *Scope) {
			s.Services = []Service{{"arn:aws-us-gov:ecs:us-gov-west-1:123456789012:cluster/c", "s"}}
		}), services, "arn:aws-us-gov:ecs:us-gov-west-1:123456789012:service/c/s"},
		{"service by ARN", with(func(s *Scope) { s.Services = []Service{{"", "arn:aws:ecs:us-east-2:2:service/c/s"}} }), serviceRevisions, "arn:aws:ecs:us-east-2:2:service-revision/c/s/* arn:aws:ecs:us-east-2:2:service/c/s"},
		{"services of one cluster", with(func(s *Scope) { s.Services = []Service{{"c", "s"}, {"c", "t"}} }), tasks, "arn:aws:ecs:eu-west-1:123456789012:task/c/*"},
		{"role", with(func(s *Scope) { s.Roles = []string{"path/r", "/r", "arn:aws:iam::1:role/q"} }), roles, "arn:aws:iam::123456789012:role/path/r arn:aws:iam::123456789012:role/r arn:aws:iam::1:role/q"},
		{"no role", Scope{}, roles, "arn:aws:iam::ACCOUNT:role/ROLE"},
		{"object", with(func(s *Scope) { s.Artifact = "b/k" }), artifactObject, "arn:aws:s3:::b/k"},
		{"bucket in China", Scope{Region: "cn-north-1", Buckets: []string{"b"}}, lifecycleBuckets, "arn:aws-cn:s3:::b"},
		{"source", with(func(s *Scope) { s.Source = "b/k/l" }), sourceObject, "arn:aws:s3:::b/k/l"},
		{"source's bucket", with(func(s *Scope) { s.Source = "b/k/l" }), sourceBucket, "arn:aws:s3:::b"},
		{"no source", place, sourceObject, "arn:aws:s3:::BUCKET/KEY"},
		{"bucket of no source", place, sourceBucket, "arn:aws:s3:::BUCKET"},
		{"pipeline", with(func(s *Scope) { s.Pipeline = "p" }), pipelines, "arn:aws:codepipeline:eu-west-1:123456789012:p"},
		{"no pipeline", Scope{}, pipelines, "arn:aws:codepipeline:REGION:ACCOUNT:PIPELINE"},
		{"partition given", Scope{Partition: "aws-x", Region: "cn-north-1", Buckets: []string{"b"}}, lifecycleBuckets, "arn:aws-x:s3:::b"},
		{"caller", with(func(s *Scope) { s.Caller = "path/r" }), principals, "arn:aws:iam::123456789012:role/path/r"},
		{"caller by ARN", with(func(s *Scope) { s.Caller = "arn:aws:iam::123456789012:user/u" }), principals, "arn:aws:iam::123456789012:user/u"},
		{"no caller", place, principals, "arn:aws:iam::123456789012:role/CALLER"},
		{"deployment groups", with(func(s *Scope) { s.DeploymentGroups = []string{"a/g", "a/h"} }), deploymentGroups, "arn:aws:codedeploy:eu-west-1:123456789012:deploymentgroup:a/g arn:aws:codedeploy:eu-west-1:123456789012:deploymentgroup:a/h"},
		{"applications", with(func(s *Scope) { s.DeploymentGroups = []string{"a/g", "a/h"} }), applications, "arn:aws:codedeploy:eu-west-1:123456789012:application:a"},
		{"no deployment group", place, deploymentGroups, "arn:aws:codedeploy:eu-west-1:123456789012:deploymentgroup:APPLICATION/DEPLOYMENT_GROUP"},
		{"object with wildcards", with(func(s *Scope) { s.Artifact = "b/*/${aws:username}?" }), artifactObject, "arn:aws:s3:::b/${*}/${$}{aws:username}${?}"},
		{"source with wildcards", with(func(s *Scope) { s.Source = "b/*" }), sourceObject, "arn:aws:s3:::b/${*}"},
		{"cache with wildcards", with(func(s *Scope) { s.Cache = "b/*/" }), cacheObjects, "arn:aws:s3:::b/${*}/*"},
		{"own secret", with(func(s *Scope) { s.Secrets = []string{"shop/db"} }), ownSecrets, "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/db-??????"},
		{"unknown secret", with(func(*Scope) {}), ownSecrets, "arn:aws:secretsmanager:eu-west-1:123456789012:secret:SECRET-??????"},
		{"parameters", with(func(s *Scope) {
			s.Parameters = []string{"/shop/flag", "arn:aws:ssm:eu-west-3:123456789012:parameter/x"}
		}), parameters,
			"arn:aws:ssm:eu-west-1:123456789012:parameter/shop/flag arn:aws:ssm:eu-west-3:123456789012:parameter/x"},
		{"stack", with(func(s *Scope) { s.Stack = "site" }), stacks, "arn:aws:cloudformation:eu-west-1:123456789012:stack/site/*"},
		{"stack by ARN", with(func(s *Scope) { s.Stack = "arn:aws:cloudformation:eu-west-3:123456789012:stack/site/1-2" }), stacks, "arn:aws:cloudformation:eu-west-3:123456789012:stack/site/1-2"},
		{"one-off tasks", with(func(s *Scope) { s.Before = []string{"shop-migrate", "shop-seed"} }), oneOffDefinitions,
			"arn:aws:ecs:eu-west-1:123456789012:task-definition/shop-migrate:* arn:aws:ecs:eu-west-1:123456789012:task-definition/shop-seed:*"},
		{"log group", with(func(s *Scope) { s.LogGroups = []string{"g"} }), logStreams, "arn:aws:logs:eu-west-1:123456789012:log-group:g:log-stream:*"},
	} {
		got, _ := tt.scope.on(tt.on)
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestListing: who may list a bucket may list what slipway asks for there, no more.
func TestListing(t *testing.T) {
	for _, tt := range []struct {
		scope Scope
		on    resource
		want  string
	}{
		{Scope{Source: "b/k/l.zip"}, sourceBucket, "k/l.zip"},
		{Scope{Source: "b/k*"}, sourceBucket, "k${*}"},
		{Scope{}, sourceBucket, "KEY"},
		{Scope{Cache: "b/layers/"}, cacheBucket, "layers/*"},
		{Scope{Cache: "b/"}, cacheBucket, "*"},
	} {
		if _, got := tt.scope.on(tt.on); fmt.Sprint(got) != "map[StringLike:map[s3:prefix:["+tt.want+"]]]" {
			t.Errorf("%+v: got %v, want %s", tt.scope, got, tt.want)
		}
	}
	for _, n := range needs {
		if _, condition := (Scope{}).on(n.on); slices.Contains(n.actions, "s3:ListBucket") && condition == nil {
			t.Errorf("%v may list a whole bucket", n.commands)
		}
	}
}

// TestEveryARN: all kinds of resource that a need names have ARNs of their own.
func TestEveryARN(t *testing.T) {
	scope := shopScope
	scope.Artifact, scope.Buckets, scope.Mirrors = "b/k", []string{"b"}, []Repository{{Name: "docker-hub"}}
	scope.Stack, scope.Before = "site", []string{"shop-migrate"}
	scope.Secrets, scope.Parameters = []string{"shop/db"}, []string{"/shop/flag"}
	scope.SecretARNs = []string{"arn:aws:secretsmanager:eu-west-1:123456789012:secret:partner-AbCdEf"}
	for _, n := range needs {
		got, condition := scope.on(n.on)
		wild := len(got) == 1 && got[0] == "*"
		if len(got) == 0 || wild && n.on != everything && condition == nil {
			t.Errorf("%v is allowed on %s, want named resources or a condition", n.actions, got)
		}
	}
}

func TestSize(t *testing.T) {
	scope := Scope{Region: "eu-west-1", Account: "123456789012"}
	for i := range 100 {
		scope.Repositories = append(scope.Repositories, Repository{Name: fmt.Sprintf("shop/service-%03d", i)})
	}
	p, err := Use{Commands: []string{"build"}, Scope: scope}.Policy()
	if err != nil {
		t.Fatal(err)
	}
	text, err := p.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if want := len(strings.Join(strings.Fields(string(text)), "")); p.Size() != want || want < MaxManagedPolicy {
		t.Errorf("size %d, want %d, more than %d", p.Size(), want, MaxManagedPolicy)
	}
}

func ExampleUse_Policy() {
	p, err := Use{
		Commands: []string{"retention"},
		Preview:  true,
		Scope:    Scope{Region: "eu-west-1", Account: "123456789012", Repositories: []Repository{{Name: "shop/web"}}},
	}.Policy()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range p.Statement {
		fmt.Println(s.Resource[0])
		for _, a := range s.Action {
			fmt.Println(" ", a)
		}
	}
	// Output:
	// arn:aws:ecr:eu-west-1:123456789012:repository/shop/web
	//   ecr:BatchGetImage
	//   ecr:DescribeImages
	//   ecr:DescribeRepositories
	//   ecr:GetLifecyclePolicy
	//   ecr:GetLifecyclePolicyPreview
	//   ecr:StartLifecyclePolicyPreview
}
