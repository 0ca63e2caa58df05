package doctor

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"slipway/buildspec/iam"
	"slipway/internal/awsname"
	"slipway/project"
	"slipway/registry"
	"slipway/rollout/task"
)

// executionActions returns what each execution role must be allowed to start its
// containers, by its ARN: to pull from ECR, to write logs, and to read secrets.
func (t foundTasks) executionActions(region string) map[string]iam.Policy {
	on := map[string]map[string][]string{} // role → action → resources
	for _, use := range t.uses {
		role := use.Input.ExecutionRoleARN
		if !strings.HasPrefix(role, "arn:") {
			continue
		}
		if on[role] == nil {
			on[role] = map[string][]string{}
		}
		account := strings.Split(role, ":")[4]
		for _, c := range use.Input.Containers {
			ref, ok := project.RepositoryOfImage(c.Image)
			if component, built := use.Built[c.Name]; built {
				ref, ok = component.Ref, true
			}
			at := place{region, account}
			if ok {
				at.addPull(on[role], ref)
			}
			at.addStart(on[role], c)
		}
	}
	out := map[string]iam.Policy{}
	for role, actions := range on {
		out[role] = policyOf(actions)
	}
	return out
}

// policyOf returns a policy that allows actions on their resources, with one statement for
// the same resources.
func policyOf(on map[string][]string) iam.Policy {
	var p iam.Policy
	for _, action := range slices.Sorted(maps.Keys(on)) {
		slices.Sort(on[action])
		resources := slices.Compact(on[action])
		i := slices.IndexFunc(p.Statement, func(s iam.Statement) bool { return slices.Equal(s.Resource, resources) })
		if i < 0 {
			i, p.Statement = len(p.Statement), append(p.Statement, iam.Statement{Effect: "Allow", Resource: resources})
		}
		p.Statement[i].Action = append(p.Statement[i].Action, action)
	}
	return p
}

// place is the region and the account of resources that name none.
type place struct{ region, account string }

// arn returns the ARN of a resource.
func (p place) arn(service, region, account, resource string) string {
	partition := "aws"
	if known, ok := awsname.PartitionOf(p.region); ok {
		partition = known.ID
	}
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", partition, service, cmp.Or(region, p.region), cmp.Or(account, p.account), resource)
}

// addPull adds what a pull from a repository needs ("Amazon ECS task execution IAM role"
// in its developer guide).
func (p place) addPull(actions map[string][]string, ref registry.Ref) {
	add(actions, "*", "ecr:GetAuthorizationToken")
	add(actions, p.arn("ecr", ref.Region, ref.Account, "repository/"+ref.Name), "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
}

// addStart adds what the log and the secrets of a container need (on the same page).
func (p place) addStart(actions map[string][]string, c task.Container) {
	if g, ok := logGroupOf(c); ok {
		at := p.arn("logs", g.region, "", "log-group:"+g.name)
		add(actions, at+":log-stream:*", "logs:CreateLogStream", "logs:PutLogEvents")
		if g.made {
			add(actions, at, "logs:CreateLogGroup")
		}
	}
	for _, s := range c.Secrets {
		switch parts := strings.Split(s.ValueFrom, ":"); {
		case len(parts) >= 7 && parts[2] == "secretsmanager":
			add(actions, strings.Join(parts[:7], ":"), "secretsmanager:GetSecretValue")
		case len(parts) >= 6 && parts[2] == "ssm":
			add(actions, s.ValueFrom, "ssm:GetParameters")
		case !strings.HasPrefix(s.ValueFrom, "arn:"):
			add(actions, p.arn("ssm", "", "", "parameter/"+strings.TrimPrefix(s.ValueFrom, "/")), "ssm:GetParameters")
		}
	}
}

func add(actions map[string][]string, resource string, names ...string) {
	for _, name := range names {
		actions[name] = append(actions[name], resource)
	}
}
