// Package elb is a stand-in for Elastic Load Balancing, as far as target groups go: it
// describes those that a test planted.
package elb

import (
	"cmp"
	"encoding/xml"
	"net/http"
	"slices"
	"strings"
	"sync"

	"slipway/internal/sandbox/awsapi"
)

// Version is the version by which requests of the query protocol name the API of Elastic
// Load Balancing.
const Version = "2015-12-01"

const namespace = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"

// Permissions are those of the caller.
type Permissions interface {
	Allows(action string) bool
	Refusal(action string) string
}

// TargetGroup is a target group. Its fields are those of the API reference.
type TargetGroup struct {
	// Type is the target type; ip if empty.
	Type string
	// Unattached reports that no listener of a load balancer forwards to it.
	Unattached bool
	// Protocol is that of requests and of the health check; HTTP if empty.
	Protocol string
	// HealthPath, HealthPort and Codes are the health check; /, traffic-port and 200 if
	// empty.
	HealthPath, HealthPort, Codes string
	// Targets are the registered ones.
	Targets []Target
}

// Target is a registered target. The fields are those of TargetHealth.
type Target struct {
	ID                         string
	Port                       int
	State, Reason, Description string
}

// Groups are the target groups of an account.
type Groups struct {
	permissions Permissions

	mu     sync.Mutex
	groups map[string]TargetGroup // by their ARNs
}

// New returns an account without target groups.
func New(p Permissions) *Groups { return &Groups{permissions: p, groups: map[string]TargetGroup{}} }

// Set makes a target group, or replaces it.
func (g *Groups) Set(arn string, group TargetGroup) {
	g.mu.Lock()
	defer g.mu.Unlock()
	group.Type, group.Protocol = cmp.Or(group.Type, "ip"), cmp.Or(group.Protocol, "HTTP")
	group.HealthPath, group.HealthPort, group.Codes = cmp.Or(group.HealthPath, "/"), cmp.Or(group.HealthPort, "traffic-port"), cmp.Or(group.Codes, "200")
	group.Targets = slices.Clone(group.Targets)
	g.groups[arn] = group
}

// Delete removes a target group.
func (g *Groups) Delete(arn string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.groups, arn)
}

// Get returns the target type of a target group, and reports whether a listener forwards
// to it, and whether it exists.
func (g *Groups) Get(arn string) (kind string, attached, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	group, ok := g.groups[arn]
	return group.Type, !group.Unattached, ok
}

// Make makes a target group for addresses, with a listener.
func (g *Groups) Make(arn string) { g.Set(arn, TargetGroup{}) }

// Serve answers DescribeTargetGroups and DescribeTargetHealth. The request's form must
// have been parsed. It calls name with the action and the target group before it answers.
func (g *Groups) Serve(w http.ResponseWriter, r *http.Request, name func(action, group string)) {
	action := r.Form.Get("Action")
	arns := awsapi.Members(r, "TargetGroupArns")
	if one := r.Form.Get("TargetGroupArn"); one != "" {
		arns = []string{one}
	}
	name(action, strings.Join(arns, ","))
	switch {
	case awsapi.SignedRegion(r) == "":
		refuse(w, http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token")
	case !g.permissions.Allows("elasticloadbalancing:" + action):
		refuse(w, http.StatusForbidden, "AccessDenied", g.permissions.Refusal("elasticloadbalancing:"+action))
	case action == "DescribeTargetGroups":
		g.describe(w, arns)
	case action == "DescribeTargetHealth":
		g.health(w, arns)
	default:
		refuse(w, http.StatusBadRequest, "InvalidAction", "Could not find operation "+action+" for version "+Version)
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	awsapi.WriteQueryError(w, status, namespace, code, message)
}

// find returns target groups by their ARNs.
func (g *Groups) find(w http.ResponseWriter, arns []string) ([]TargetGroup, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []TargetGroup
	for _, arn := range arns {
		group, ok := g.groups[arn]
		if !ok {
			refuse(w, http.StatusBadRequest, "TargetGroupNotFound", "One or more target groups not found")
			return nil, false
		}
		out = append(out, group)
	}
	return out, true
}

// described is the answer of DescribeTargetGroups.
type described struct {
	XMLName   xml.Name `xml:"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/ DescribeTargetGroupsResponse"`
	Groups    []view   `xml:"DescribeTargetGroupsResult>TargetGroups>member"`
	RequestID string   `xml:"ResponseMetadata>RequestId"`
}

type view struct {
	TargetGroupArn, TargetType, Protocol                  string
	HealthCheckProtocol, HealthCheckPort, HealthCheckPath string
	Codes                                                 string   `xml:"Matcher>HttpCode"`
	LoadBalancers                                         []string `xml:"LoadBalancerArns>member"`
}

func (g *Groups) describe(w http.ResponseWriter, arns []string) {
	groups, ok := g.find(w, arns)
	if !ok {
		return
	}
	answer := described{RequestID: awsapi.RequestID}
	for i, group := range groups {
		v := view{TargetGroupArn: arns[i], TargetType: group.Type, Protocol: group.Protocol, HealthCheckProtocol: group.Protocol,
			HealthCheckPort: group.HealthPort, HealthCheckPath: group.HealthPath, Codes: group.Codes}
		if !group.Unattached {
			before, _, _ := strings.Cut(arns[i], ":targetgroup/")
			v.LoadBalancers = []string{before + ":loadbalancer/app/sandbox/0000000000000000"}
		}
		answer.Groups = append(answer.Groups, v)
	}
	awsapi.WriteXML(w, http.StatusOK, answer)
}

// healths is the answer of DescribeTargetHealth.
type healths struct {
	XMLName   xml.Name     `xml:"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/ DescribeTargetHealthResponse"`
	Targets   []healthView `xml:"DescribeTargetHealthResult>TargetHealthDescriptions>member"`
	RequestID string       `xml:"ResponseMetadata>RequestId"`
}

type healthView struct {
	ID          string `xml:"Target>Id"`
	Port        int    `xml:"Target>Port"`
	State       string `xml:"TargetHealth>State"`
	Reason      string `xml:"TargetHealth>Reason,omitempty"`
	Description string `xml:"TargetHealth>Description,omitempty"`
}

func (g *Groups) health(w http.ResponseWriter, arns []string) {
	groups, ok := g.find(w, arns)
	if !ok {
		return
	}
	answer := healths{RequestID: awsapi.RequestID}
	for _, group := range groups {
		for _, t := range group.Targets {
			answer.Targets = append(answer.Targets, healthView(t))
		}
	}
	awsapi.WriteXML(w, http.StatusOK, answer)
}
