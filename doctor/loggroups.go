package doctor

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/rollout/task"
)

// logGroup is a log group that containers write to.
type logGroup struct {
	name, region string
	// made reports that a task makes it if it is missing.
	made bool
}

// logGroups returns the log groups of the task definitions, each once.
func (t foundTasks) logGroups() []logGroup {
	var out []logGroup
	for _, use := range t.uses {
		for _, c := range use.Input.Containers {
			g, ok := logGroupOf(c)
			if ok && !slices.Contains(out, g) {
				out = append(out, g)
			}
		}
	}
	return out
}

// logGroupOf returns the log group of a container, if it is known.
func logGroupOf(c task.Container) (logGroup, bool) {
	if c.LogConfiguration == nil || c.LogConfiguration.LogDriver != "awslogs" {
		return logGroup{}, false
	}
	o := c.LogConfiguration.Options
	g := logGroup{o["awslogs-group"], o["awslogs-region"], strings.EqualFold(o["awslogs-create-group"], "true")}
	return g, g.name != "" && g.name != task.UnknownLogGroup
}

// checkLogGroups looks whether the log groups of containers exist: no task starts without
// its own.
func (d *doctor) checkLogGroups(ctx context.Context) []Finding {
	c, err := d.cloud()
	if err != nil {
		return []Finding{broken(err)}
	}
	found, err := d.tasks()
	if err != nil {
		return []Finding{broken(err)}
	}
	var out []Finding
	for _, g := range found.logGroups() {
		out = append(out, d.logGroupFinding(ctx, c, g).of(g.name))
	}
	return out
}

func (d *doctor) logGroupFinding(ctx context.Context, c *awsclient.Clients, g logGroup) Finding {
	exists, err := logGroupExists(ctx, c, g)
	switch {
	case err != nil && awsclient.Denied(err):
		return Unchecked("allow logs:DescribeLogGroups", "%v", err)
	case err != nil:
		return d.onECS(broken(err))
	case exists:
		return Fine("exists")
	case g.made:
		return Fine("the first task that writes to it makes it")
	default:
		f := Finding{Status: StatusFailed, Detail: "does not exist: no task can start with it", Kind: fault.Input,
			Remedy: "aws logs create-log-group --log-group-name " + g.name + "; or correct awslogs-group"}
		return d.onECS(f)
	}
}

// logGroupExists asks for a log group by its name.
func logGroupExists(ctx context.Context, c *awsclient.Clients, g logGroup) (bool, error) {
	client := cloudwatchlogs.NewFromConfig(c.Config, func(o *cloudwatchlogs.Options) { o.Region = cmp.Or(g.region, o.Region) })
	exists := false
	in := &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &g.name}
	err := awsclient.EachPage("CloudWatch DescribeLogGroups", func(token *string) (*string, error) {
		in.NextToken = token
		page, err := client.DescribeLogGroups(ctx, in)
		if err != nil {
			return nil, fault.As(fault.AWS, err)
		}
		for _, group := range page.LogGroups {
			exists = exists || aws.ToString(group.LogGroupName) == g.name
		}
		return page.NextToken, nil
	})
	return exists, err
}
