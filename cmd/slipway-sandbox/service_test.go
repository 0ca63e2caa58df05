package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// serviceFixture is a fast sandbox with an image shop/web:latest, and the means to
// run the command on it.
type serviceFixture struct {
	*testing.T
	addr    string
	clients serviceClients
	digest  string
}

func newServiceFixture(t *testing.T) serviceFixture {
	t.Helper()
	s := testkit.StartSandbox(t, sandbox.Options{ECSSpeed: 10_000})
	r := serviceFixture{T: t, addr: strings.TrimPrefix(s.URL(), "http://")}
	r.clients = (&endpoint{r.addr, "us-east-1"}).clients()
	if _, err := r.clients.ecr.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("shop/web")}); err != nil {
		t.Fatal(err)
	}
	r.digest = pushTags(t, r.clients.ecr, r.addr+"/shop/web", "latest", "other")
	return r
}

// run runs the command service, and returns its exit code, stdout and stderr.
func (r serviceFixture) run(args ...string) (int, string, string) {
	r.Helper()
	var stdout, stderr bytes.Buffer
	code := run(r.Context(), append([]string{"service", "--addr", r.addr, "--cluster", "shop", "--service", "web", "--container", "web=shop/web"}, args...), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func (r serviceFixture) must(args ...string) string {
	r.Helper()
	code, stdout, stderr := r.run(args...)
	if code != exitDone {
		r.Fatalf("exit code %d\n%s", code, stderr)
	}
	return stdout
}

func (r serviceFixture) described() types.Service {
	r.Helper()
	out, err := r.clients.ecs.DescribeServices(r.Context(), &ecs.DescribeServicesInput{Cluster: aws.String("shop"), Services: []string{"web"}})
	if err != nil || len(out.Services) != 1 {
		r.Fatalf("DescribeServices = %+v, %v, want one service", out, err)
	}
	return out.Services[0]
}

func (r serviceFixture) definition() *types.TaskDefinition {
	r.Helper()
	out, err := r.clients.ecs.DescribeTaskDefinition(r.Context(), &ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String("web")})
	if err != nil {
		r.Fatal(err)
	}
	return out.TaskDefinition
}

func TestServiceCreatedAndUpdated(t *testing.T) {
	r := newServiceFixture(t)
	if got := r.must("--desired", "2", "--wait", "1m", "--env", "web.COLOUR=red=ish", "--health-check", "web=true", "--log-group", "/ecs/shop"); got != "created shop/web with web:1\n" {
		t.Errorf("said %q, want %q", got, "created shop/web with web:1\n")
	}
	if s := r.described(); s.RunningCount != 2 || !s.DeploymentConfiguration.DeploymentCircuitBreaker.Rollback {
		t.Errorf("service is %+v", s)
	}
	c := r.definition().ContainerDefinitions[0]
	if *c.Image != r.addr+"/shop/web" || *c.Environment[0].Name != "COLOUR" || *c.Environment[0].Value != "red=ish" || c.HealthCheck.Command[1] != "true" {
		t.Errorf("container is %+v", c)
	}
	groups, err := r.clients.logs.DescribeLogGroups(t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{})
	if err != nil || len(groups.LogGroups) != 1 || c.LogConfiguration.Options["awslogs-group"] != *groups.LogGroups[0].LogGroupName {
		t.Errorf("%v: groups are %+v, options %v", err, groups, c.LogConfiguration)
	}
	if got := r.must("--desired", "3", "--wait", "1m", "--log-group", "/ecs/shop", "--container", "side=registry.example.com/side:1", "--circuit-breaker", "off"); got != "updated shop/web with web:2\n" {
		t.Errorf("said %q, want %q", got, "updated shop/web with web:2\n")
	}
	if s := r.described(); s.RunningCount != 3 || s.DeploymentConfiguration.DeploymentCircuitBreaker.Enable {
		t.Errorf("service is %+v", s)
	}

	var shown bytes.Buffer
	if code := run(t.Context(), []string{"show", "--addr", r.addr}, &shown, io.Discard); code != exitDone {
		t.Fatalf("exit code %d, want %v", code, exitDone)
	}
	_, services, _ := strings.Cut(shown.String(), "shop/web (ROLLING)")
	lines := strings.Split(services, "\n")
	if len(lines) != 4 || lines[0] != " web:2: desired 3, running 3, pending 0" || !strings.HasPrefix(lines[1], "  side  sha256:") || lines[2] != "  web   "+r.digest[:19]+"  in 3" {
		t.Errorf("shown:\n%s", &shown)
	}
}

func TestServiceControllers(t *testing.T) {
	t.Run("CODE_DEPLOY", func(t *testing.T) {
		r := newServiceFixture(t)
		r.must("--controller", "CODE_DEPLOY", "--load-balancer", "web:80", "--wait", "1m")
		group, err := r.clients.codedeploy.GetDeploymentGroup(t.Context(), &codedeploy.GetDeploymentGroupInput{
			ApplicationName: aws.String("AppECS-shop-web"), DeploymentGroupName: aws.String("DgpECS-shop-web"),
		})
		if err != nil {
			t.Fatal(err)
		}
		if s := group.DeploymentGroupInfo.EcsServices; len(s) != 1 || *s[0].ClusterName != "shop" || *s[0].ServiceName != "web" || !group.DeploymentGroupInfo.AutoRollbackConfiguration.Enabled {
			t.Errorf("group is %+v", group.DeploymentGroupInfo)
		}
		if code, _, stderr := r.run("--controller", "CODE_DEPLOY", "--load-balancer", "web:80"); code != exitUsage || !strings.Contains(stderr, "CODE_DEPLOY alone gives it task definitions") {
			t.Errorf("again: exit code %d, %q", code, stderr)
		}
		if code, _, stderr := r.run(); code != exitUsage || !strings.Contains(stderr, "is there already with the controller CODE_DEPLOY") {
			t.Errorf("as ECS: exit code %d, %q", code, stderr)
		}
	})
	t.Run("EXTERNAL", func(t *testing.T) {
		r := newServiceFixture(t)
		r.must("--controller", "EXTERNAL", "--wait", "1m")
		if s := r.described(); len(s.TaskSets) != 1 || aws.ToString(s.TaskSets[0].Status) != "PRIMARY" || s.RunningCount != 1 {
			t.Errorf("service is %+v", s)
		}
	})
	for _, strategy := range []string{"BLUE_GREEN", "LINEAR", "CANARY"} {
		t.Run(strategy, func(t *testing.T) {
			r := newServiceFixture(t)
			r.must("--strategy", strategy, "--load-balancer", "web:80", "--wait", "1m")
			if got := r.described().DeploymentConfiguration.Strategy; string(got) != strategy {
				t.Errorf("strategy is %s, want %v", got, strategy)
			}
			r.must("--strategy", strategy, "--load-balancer", "web:80", "--wait", "1m")
		})
	}
}

func TestServiceImages(t *testing.T) {
	for text, want := range map[string]struct {
		image
		full bool
	}{
		"shop/web":                            {image{"shop/web", ""}, false},
		"web:one":                             {image{"web", ":one"}, false},
		"shop/web:one@sha256:00":              {image{"shop/web", ":one@sha256:00"}, false},
		"docker.io/library/nginx:1":           {image{"docker.io/library/nginx", ":1"}, true},
		"localhost/x":                         {image{"localhost/x", ""}, true},
		"127.0.0.1:4566/shop/web@sha256:00":   {image{"127.0.0.1:4566/shop/web", "@sha256:00"}, true},
		"1.dkr.ecr.eu-west-1.amazonaws.com/a": {image{"1.dkr.ecr.eu-west-1.amazonaws.com/a", ""}, true},
		"registry:5000/a/b:1":                 {image{"registry:5000/a/b", ":1"}, true},
		"nginx":                               {image{"nginx", ""}, false},
	} {
		if got := parseImage(text); got != want.image || got.full() != want.full {
			t.Errorf("%s: %+v, full %v", text, got, got.full())
		}
	}
}

func TestServiceUsage(t *testing.T) {
	one := []string{"service", "--service", "s", "--container", "web=shop/web"}
	for says, args := range map[string][]string{
		"--service is needed":              {"service"},
		"--container name=image is needed": {"service", "--service", "s"},
		`--container "web" must be`:        {"service", "--service", "s", "--container", "web"},
		"there are two of that name":       append(one, "--container", "web=x"),
		"--desired -1":                     append(one, "--desired", "-1"),
		`--env "A=b" must be`:              append(one, "--env", "A=b"),
		`--env "no.A=b" must be`:           append(one, "--env", "no.A=b"),
		`--health-check "web" must be`:     append(one, "--health-check", "web"),
		`--port "web" must be`:             append(one, "--port", "web"),
		`--port "no:80" must be`:           append(one, "--port", "no:80"),
		`--load-balancer "web" must be`:    append(one, "--load-balancer", "web"),
		`--load-balancer "no:80" must be`:  append(one, "--load-balancer", "no:80"),
		`--circuit-breaker "on" must be`:   append(one, "--circuit-breaker", "on"),
		`--controller "ME" must be`:        append(one, "--controller", "ME"),
		`--strategy "ALL" must be`:         append(one, "--strategy", "ALL"),
		"--strategy CANARY goes with":      append(one, "--strategy", "CANARY", "--controller", "EXTERNAL"),
		"--strategy CANARY needs":          append(one, "--strategy", "CANARY"),
		"--controller CODE_DEPLOY needs":   append(one, "--controller", "CODE_DEPLOY"),
		`service takes no arguments`:       append(one, "more"),
	} {
		t.Run(says, func(t *testing.T) {
			var stderr bytes.Buffer
			if code := run(t.Context(), args, io.Discard, &stderr); code != exitUsage || !strings.Contains(stderr.String(), says) {
				t.Errorf("exit code %d, %q", code, &stderr)
			}
		})
	}
}

func TestServiceOfAMissingRepository(t *testing.T) {
	r := newServiceFixture(t)
	code, _, stderr := r.run("--container", "side=nginx:1")
	if code != exitError || !strings.Contains(stderr, "docker.io/library/nginx") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	if out, err := r.clients.ecs.ListClusters(t.Context(), &ecs.ListClustersInput{}); err != nil || len(out.ClusterArns) != 0 {
		t.Errorf("%v: something was made: %+v", err, out)
	}
}

// A deployment that was given up is no success, however stable the service is.
func TestServiceThatDoesNotComeUp(t *testing.T) {
	crash := []string{"--env", "web.SLIPWAY_SANDBOX_EXIT=1"}
	for _, test := range []struct{ breaker, says string }{
		{"off", "service shop/web is not stable after 300ms"},
		{"stop", "the deployment of web:2 failed"},
		{"rollback", "the deployment of web:2 failed"},
	} {
		t.Run(test.breaker, func(t *testing.T) {
			r := newServiceFixture(t)
			r.must("--wait", "1m")
			wait := "1m"
			if test.breaker == "off" {
				wait = "300ms"
			}
			code, _, stderr := r.run(append(crash, "--wait", wait, "--circuit-breaker", test.breaker)...)
			if code != exitError || !strings.Contains(stderr, test.says) {
				t.Errorf("exit code %d, %q", code, stderr)
			}
		})
	}
}
