package ecs

import (
	"cmp"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"slipway/internal/sandbox/awsapi"
	"slipway/internal/sandbox/ecs/standalone"
	"slipway/internal/sandbox/ecs/taglist"
)

// object is a JSON object of an answer.
type object = map[string]any

// failure is the entry for a missing resource in the answers of actions that
// name several.
type failure struct {
	Arn    string `json:"arn"`
	Reason string `json:"reason"`
}

type cluster struct {
	name, arn string
	active    bool
	settings  map[string]json.RawMessage // of the request, answered as they came
	tags      taglist.List
	services  []*service // oldest first, INACTIVE ones included
	tasks     []*task    // oldest first
	tokens    standalone.Tokens[*task]
}

var namePattern = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,255}$`)

// lastPart returns the name in an ARN, or the name itself.
func lastPart(nameOrARN string) string {
	return nameOrARN[strings.LastIndexByte(nameOrARN, '/')+1:]
}

// cluster returns a cluster by name or ARN; "" is the cluster called default.
func (e *region) cluster(nameOrARN string) (*cluster, error) {
	c := e.clusters[lastPart(cmp.Or(nameOrARN, "default"))]
	if c == nil || !c.active || strings.HasPrefix(nameOrARN, "arn:") && nameOrARN != c.arn {
		return nil, awsapi.NewError("ClusterNotFoundException", "Cluster not found.")
	}
	return c, nil
}

// services returns the services of all clusters in order.
func (e *region) services() []*service {
	var out []*service
	for _, name := range slices.Sorted(maps.Keys(e.clusters)) {
		out = append(out, e.clusters[name].services...)
	}
	return out
}

type clusterOut struct {
	Cluster object `json:"cluster"`
}

// createCluster returns the existing cluster if there is one.
func createCluster(e *region, in map[string]json.RawMessage) (out clusterOut, err error) {
	var named struct {
		ClusterName string       `json:"clusterName"`
		Tags        taglist.List `json:"tags"`
	}
	if err := awsapi.DecodeFields(in, &named); err != nil {
		return out, err
	}
	name := cmp.Or(named.ClusterName, "default")
	if !namePattern.MatchString(name) {
		return out, parameterError("Invalid cluster name: it must be of up to 255 letters, digits, hyphens and underscores.")
	}
	c := e.clusters[name]
	if c == nil || !c.active {
		if err := named.Tags.Check(); err != nil {
			return out, err
		}
		c = &cluster{name: name, arn: e.arn("cluster", name), active: true, tags: named.Tags}
		c.settings = awsapi.Present(in, "capacityProviders", "configuration", "defaultCapacityProviderStrategy", "serviceConnectDefaults", "settings")
		e.clusters[name] = c
	}
	return clusterOut{c.describe(true)}, nil
}

func (c *cluster) describe(tags bool) object {
	running, pending, services := 0, 0, 0
	for _, t := range c.tasks {
		running += count(t.isRunning())
		pending += count(t.isPending())
	}
	for _, s := range c.services {
		services += count(s.status == "ACTIVE")
	}
	out := object{
		"clusterArn": c.arn, "clusterName": c.name, "status": "ACTIVE",
		"runningTasksCount": running, "pendingTasksCount": pending, "activeServicesCount": services,
		"registeredContainerInstancesCount": 0, "statistics": []any{},
		"capacityProviders": []any{}, "defaultCapacityProviderStrategy": []any{}, "settings": []any{}, "tags": taglist.List{},
	}
	if !c.active {
		out["status"] = "INACTIVE"
	}
	for k, v := range c.settings {
		out[k] = v
	}
	if tags {
		out["tags"] = c.tags.All()
	}
	return out
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

type describeClustersIn struct {
	Clusters []string `json:"clusters"`
	Include  []string `json:"include"`
}

type describeClustersOut struct {
	Clusters []object  `json:"clusters"`
	Failures []failure `json:"failures"`
}

func describeClusters(e *region, in describeClustersIn) (describeClustersOut, error) {
	out := describeClustersOut{Clusters: []object{}, Failures: []failure{}}
	if len(in.Clusters) > 100 {
		return out, parameterError("Clusters can have at most 100 entries.")
	}
	if len(in.Clusters) == 0 {
		in.Clusters = []string{"default"}
	}
	for _, id := range in.Clusters {
		c, err := e.cluster(id)
		if err != nil {
			out.Failures = append(out.Failures, failure{e.arn("cluster", lastPart(id)), "MISSING"})
			continue
		}
		out.Clusters = append(out.Clusters, c.describe(slices.Contains(in.Include, "TAGS")))
	}
	return out, nil
}

type listClustersOut struct {
	ClusterArns []string `json:"clusterArns"`
	NextToken   string   `json:"nextToken,omitempty"`
}

func listClusters(e *region, in awsapi.Paging) (out listClustersOut, err error) {
	arns := []string{}
	for _, c := range e.clusters {
		if c.active {
			arns = append(arns, c.arn)
		}
	}
	slices.Sort(arns)
	out.ClusterArns, out.NextToken, err = awsapi.PageOfARNs(in, 100, arns)
	return out, err
}

type clusterIn struct {
	Cluster string `json:"cluster"`
}

func deleteCluster(e *region, in clusterIn) (out clusterOut, err error) {
	c, err := e.cluster(in.Cluster)
	if err != nil {
		return out, err
	}
	for _, s := range c.services {
		if s.status == "ACTIVE" {
			return out, awsapi.NewError("ClusterContainsServicesException",
				"The Cluster cannot be deleted while Services are active.")
		}
	}
	for _, t := range c.tasks {
		if t.isRunning() || t.isPending() {
			return out, awsapi.NewError("ClusterContainsTasksException",
				"The Cluster cannot be deleted while Tasks are active.")
		}
	}
	c.active = false
	return clusterOut{c.describe(true)}, nil
}
