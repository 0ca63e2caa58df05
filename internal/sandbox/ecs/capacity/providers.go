// Package capacity is the capacity providers of ECS: those of Auto Scaling groups
// with managed scaling, and the strategies of services that name them.
package capacity

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	"slipway/internal/sandbox/awsapi"
	"slipway/internal/sandbox/ecs/taglist"
)

// providers are the capacity providers of an account in all regions.
type providers struct {
	account string
	ecs     map[string]awsapi.Action

	mu  sync.Mutex
	all map[key]provider
}

type key struct{ region, name string }

type provider struct {
	Name   string          `json:"name"`
	ARN    string          `json:"capacityProviderArn"`
	Status string          `json:"status"`
	Update string          `json:"updateStatus,omitempty"`
	Reason string          `json:"updateStatusReason,omitempty"`
	Group  json.RawMessage `json:"autoScalingGroupProvider,omitempty"`
	Tags   taglist.List    `json:"tags"`
}

// Tags that give a provider another status than that of one that is in order.
const (
	tagStatus = "slipway.sandbox.status"
	tagUpdate = "slipway.sandbox.update-status"
	tagReason = "slipway.sandbox.update-reason"
)

// Actions returns the actions of ECS, those of capacity providers, and CreateService
// and UpdateService with the rules of strategies.
func Actions(account string, ecs map[string]awsapi.Action) map[string]awsapi.Action {
	out, p := maps.Clone(ecs), &providers{account: account, ecs: ecs, all: map[key]provider{}}
	out["CreateCapacityProvider"] = awsapi.NewAction(p.create)
	out["DescribeCapacityProviders"] = awsapi.NewAction(p.describe)
	for _, name := range []string{"CreateService", "UpdateService"} {
		out[name] = p.checked(ecs[name])
	}
	return out
}

// builtIn are the providers that every account has.
var builtIn = []string{"FARGATE", "FARGATE_SPOT"}

type createIn struct {
	Name  string          `json:"name"`
	Group json.RawMessage `json:"autoScalingGroupProvider"`
	Tags  taglist.List    `json:"tags"`
}

type createOut struct {
	Provider provider `json:"capacityProvider"`
}

func (p *providers) create(c awsapi.Call, in createIn) (out createOut, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := key{c.Region, in.Name}
	switch _, exists := p.all[at]; {
	case in.Name == "" || in.Group == nil:
		return out, awsapi.NewError("ClientException", "name and autoScalingGroupProvider are required.")
	case exists || slices.Contains(builtIn, in.Name):
		return out, awsapi.NewError("ClientException", "The specified capacity provider already exists.")
	}
	out.Provider = provider{
		Name: in.Name, Status: "ACTIVE", Group: in.Group, Tags: in.Tags,
		ARN: fmt.Sprintf("arn:%s:ecs:%s:%s:capacity-provider/%s", awsapi.Partition(c.Region), c.Region, p.account, in.Name),
	}
	if status := in.Tags.Value(tagStatus); status != "" {
		out.Provider.Status = status
	}
	out.Provider.Update, out.Provider.Reason = in.Tags.Value(tagUpdate), in.Tags.Value(tagReason)
	p.all[at] = out.Provider
	return out, nil
}

type describeIn struct {
	Names []string `json:"capacityProviders"`
}

type describeOut struct {
	Providers []provider `json:"capacityProviders"`
	Failures  []failure  `json:"failures"`
}

type failure struct {
	ARN    string `json:"arn"`
	Reason string `json:"reason"`
}

// describe answers for the providers that are named, or for all.
func (p *providers) describe(c awsapi.Call, in describeIn) (out describeOut, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	out = describeOut{Providers: []provider{}, Failures: []failure{}}
	if len(in.Names) == 0 {
		in.Names = slices.Clone(builtIn)
		for at := range p.all {
			if at.region == c.Region {
				in.Names = append(in.Names, at.name)
			}
		}
		slices.Sort(in.Names)
	}
	for _, name := range in.Names {
		found, ok := p.all[key{c.Region, name}]
		switch {
		case ok:
			out.Providers = append(out.Providers, found)
		case slices.Contains(builtIn, name):
			out.Providers = append(out.Providers, provider{Name: name, ARN: p.builtInARN(c.Region, name), Status: "ACTIVE", Tags: taglist.List{}})
		default:
			out.Failures = append(out.Failures, failure{p.builtInARN(c.Region, name), "MISSING"})
		}
	}
	return out, nil
}

func (p *providers) builtInARN(region, name string) string {
	return fmt.Sprintf("arn:%s:ecs:%s:%s:capacity-provider/%s", awsapi.Partition(region), region, p.account, name)
}

// serviceIn is the part of the requests for services that names providers.
type serviceIn struct {
	Cluster  string `json:"cluster"`
	Strategy []struct {
		Provider string `json:"capacityProvider"`
	} `json:"capacityProviderStrategy"`
	LaunchType string `json:"launchType"`
}

// checked returns an action that refuses a strategy with a provider that is not
// associated with the cluster, and one next to a launch type.
func (p *providers) checked(action awsapi.Action) awsapi.Action {
	return func(c awsapi.Call, body []byte) (any, error) {
		var in serviceIn
		_ = json.Unmarshal(body, &in) // the action complains about bad JSON
		if len(in.Strategy) > 0 && in.LaunchType != "" {
			return nil, invalid("Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.")
		}
		for _, s := range in.Strategy {
			if !slices.Contains(p.associated(c, in.Cluster), s.Provider) {
				return nil, invalid("The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. Associate the capacity provider with the cluster and try again.")
			}
		}
		return action(c, body)
	}
}

// associated returns the providers of a cluster.
func (p *providers) associated(c awsapi.Call, cluster string) []string {
	if cluster == "" {
		cluster = "default"
	}
	request, _ := json.Marshal(map[string]any{"clusters": []string{cluster}}) // strings alone
	answer, err := p.ecs["DescribeClusters"](c, request)
	if err != nil {
		return nil
	}
	raw, _ := json.Marshal(answer) // it is answered as JSON
	var out struct {
		Clusters []struct {
			Providers []string `json:"capacityProviders"`
		} `json:"clusters"`
	}
	if json.Unmarshal(raw, &out) != nil || len(out.Clusters) == 0 {
		return nil
	}
	return out.Clusters[0].Providers
}

func invalid(message string) *awsapi.Error {
	return awsapi.NewError("InvalidParameterException", message)
}
