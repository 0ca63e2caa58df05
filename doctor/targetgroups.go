package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/internal/phrase"
	"slipway/internal/shell"
	"slipway/rollout/task"
)

// targetGroup is a container's port behind a target group.
type targetGroup struct {
	// subject is the ECS service, group the ARN of the target group.
	subject, group string
	entry          task.Entry
	// path is the path that the container's own health check asks for; empty if it asks
	// for none.
	path string
}

// checkTargetGroups looks at the target groups behind which ECS services run, or will
// run. A task that does not pass the health check of its target group is replaced again
// and again.
func (d *doctor) checkTargetGroups(ctx context.Context) []Finding {
	c, err := d.cloud()
	if err != nil {
		return []Finding{broken(err)}
	}
	found, err := d.tasks()
	if err != nil {
		return []Finding{broken(err)}
	}
	client := elb.NewFromConfig(c.Config)
	var out []Finding
	for _, t := range found.targets {
		out = append(out, d.targetFinding(ctx, client, t).of(t.subject))
	}
	return out
}

// targetFinding judges one target group.
func (d *doctor) targetFinding(ctx context.Context, client *elb.Client, t targetGroup) Finding {
	found, err := client.DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{TargetGroupArns: []string{t.group}})
	var none *types.TargetGroupNotFoundException
	switch {
	case awsclient.Denied(err):
		return Unchecked("allow elasticloadbalancing:DescribeTargetGroups", "%v", err)
	case errors.As(err, &none):
		return d.onECS(Finding{Status: StatusFailed, Kind: fault.Input, Detail: "target group " + t.group + " does not exist", Remedy: "deploy the stack that makes it"})
	case err != nil:
		return d.onECS(broken(fault.As(fault.AWS, err)))
	case len(found.TargetGroups) != 1:
		return d.onECS(broken(awsclient.Incomplete("Elastic Load Balancing", "DescribeTargetGroups", "target group "+t.group)))
	}
	group := found.TargetGroups[0]
	if problem, remedy := t.unusable(group); problem != "" {
		return d.onECS(Finding{Status: StatusFailed, Kind: fault.Input, Detail: problem, Remedy: remedy})
	}
	if problem, remedy := t.mismatch(group); problem != "" {
		return Warned(remedy, "%s", problem)
	}
	return targetHealth(ctx, client, group)
}

// unusable says why no task can be a target of the group. A task in the network mode
// awsvpc is a target by its address ("Use load balancing to distribute Amazon ECS service
// traffic" in the ECS developer guide).
func (t targetGroup) unusable(g types.TargetGroup) (problem, remedy string) {
	switch {
	case g.TargetType != types.TargetTypeEnumIp:
		return fmt.Sprintf("its target group has targets of the type %s, and a task with an address of its own needs ip", g.TargetType), "make a target group with --target-type ip"
	case len(g.LoadBalancerArns) == 0:
		return "no listener of a load balancer forwards to its target group: ECS refuses it", "add a listener, or a rule, that forwards to " + t.group
	}
	return "", ""
}

// mismatch says how the health check of the group differs from the container's.
func (t targetGroup) mismatch(g types.TargetGroup) (problem, remedy string) {
	modify := "aws elbv2 modify-target-group --target-group-arn " + shell.Word(t.group)
	port, path := aws.ToString(g.HealthCheckPort), aws.ToString(g.HealthCheckPath)
	switch {
	case port != "traffic-port" && port != strconv.Itoa(t.entry.Port):
		return fmt.Sprintf("the health check of its target group asks port %s, and requests go to port %d", port, t.entry.Port), modify + " --health-check-port traffic-port"
	case path != "" && t.path != "" && path != t.path:
		return fmt.Sprintf("the health check of its target group asks for %s, and that of the container %s for %s", path, t.entry.Container, t.path),
			modify + " --health-check-path " + shell.Word(t.path) + ", or HealthCheckPath among the parameters of the stack, if " + path + " does not answer"
	}
	return "", ""
}

// targetHealth reports the health check of a group, and what it says of the targets.
func targetHealth(ctx context.Context, client *elb.Client, g types.TargetGroup) Finding {
	check := string(g.HealthCheckProtocol)
	if path := aws.ToString(g.HealthCheckPath); path != "" {
		check = "GET " + path
		if g.Matcher != nil && aws.ToString(g.Matcher.HttpCode) != "" {
			check += " is to answer " + *g.Matcher.HttpCode
		}
	}
	out, err := client.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: g.TargetGroupArn})
	if err != nil {
		return Unchecked("allow elasticloadbalancing:DescribeTargetHealth", "%s; the health of the targets is not known: %v", check, err)
	}
	healthy := 0
	var why []string
	for _, target := range out.TargetHealthDescriptions {
		switch h := target.TargetHealth; {
		case h == nil:
		case h.State == types.TargetHealthStateEnumHealthy:
			healthy++
		case h.State == types.TargetHealthStateEnumUnhealthy:
			why = append(why, fmt.Sprintf("%s (%s)", aws.ToString(h.Description), h.Reason))
		}
	}
	detail := fmt.Sprintf("%s; %d of %s healthy", check, healthy, phrase.Count(len(out.TargetHealthDescriptions), "target"))
	if len(why) > 0 {
		return Warned("ECS replaces such tasks: let the program answer, or correct the health check of the target group", "%s: %s", detail, strings.Join(slices.Compact(slices.Sorted(slices.Values(why))), "; "))
	}
	return Fine("%s", detail)
}
