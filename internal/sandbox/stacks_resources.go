package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"slipway/internal/sandbox/awsapi"
	"slipway/internal/sandbox/cloudformation/template"
	"slipway/internal/sandbox/ecs/serviceconfig"
	"slipway/internal/sandbox/elb"
	"slipway/internal/sandbox/iam"
)

// createResource makes a resource of a stack, if the sandbox has its service. Others are
// names alone.
func (s *Server) createResource(region string, r template.Resource) error {
	switch r.Type {
	case "AWS::ECS::Cluster":
		return s.createWith(region, "ecs", "CreateCluster", map[string]string{"clusterName": r.ID})
	case "AWS::Logs::LogGroup":
		return s.createWith(region, "logs", "CreateLogGroup", map[string]string{"logGroupName": r.ID})
	case "AWS::SecretsManager::Secret":
		s.secrets.Make(region, r.ID, awsapi.HexID(24))
	case "AWS::IAM::Role":
		s.iam.SetRole(iam.Role{ARN: r.Attributes["Arn"], Trusts: trusted(r.Properties)})
	case "AWS::ElasticLoadBalancingV2::TargetGroup":
		s.groups.Set(r.ID, elb.TargetGroup{
			Type: text(r.Properties["TargetType"]), Protocol: text(r.Properties["Protocol"]), HealthPath: text(r.Properties["HealthCheckPath"]),
		})
	case "AWS::ServiceDiscovery::Service":
		s.endpoints.SetRegistry(r.Attributes["Arn"], serviceconfig.Registry{Record: record(r.Properties)})
	}
	return nil
}

// createWith carries out an action of a service. Resources may exist already.
func (s *Server) createWith(region, service, action string, in map[string]string) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	for _, known := range s.json {
		if known.Name == service {
			_, err = known.Actions[action](awsapi.Call{Context: context.Background(), Region: region}, body)
		}
	}
	var e *awsapi.Error
	if errors.As(err, &e) && strings.HasSuffix(e.Code, "AlreadyExistsException") {
		return nil
	}
	return err
}

// trusted returns the service that the trust policy of a role names.
func trusted(properties map[string]any) string {
	policy, _ := properties["AssumeRolePolicyDocument"].(map[string]any)
	statements, _ := policy["Statement"].([]any)
	for _, s := range statements {
		statement, _ := s.(map[string]any)
		principal, _ := statement["Principal"].(map[string]any)
		if service := text(principal["Service"]); service != "" {
			return service
		}
	}
	return ""
}

// record returns the type of the DNS records of a Cloud Map service.
func record(properties map[string]any) string {
	config, _ := properties["DnsConfig"].(map[string]any)
	records, _ := config["DnsRecords"].([]any)
	for _, r := range records {
		one, _ := r.(map[string]any)
		return text(one["Type"])
	}
	return ""
}

func text(v any) string {
	s, _ := v.(string)
	return s
}
