package stack_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestImports: each export that a template imports is made by another one.
func TestImports(t *testing.T) {
	exports, imports := map[string]bool{}, map[string]string{}
	for _, s := range templates(t) {
		nodes(document(t, s.Name), "", func(key string, n *yaml.Node) {
			_, name, found := strings.Cut(n.Value, "}-")
			switch {
			case key == "Fn::ImportValue" && found:
				imports[name] = s.Name
			case key == "Name" && strings.HasPrefix(n.Value, "${AWS::StackName}-"):
				exports[name] = true
			}
		})
	}
	for name, in := range imports {
		if !exports[name] {
			t.Errorf("%s imports %s, which no template exports", in, name)
		}
	}
	if len(imports) < 10 {
		t.Errorf("%d imports, want those of all templates", len(imports))
	}
}

// each calls visit with the properties of each resource of a type.
func each(t *testing.T, template, kind string, visit func(name string, resource, properties *yaml.Node)) {
	t.Helper()
	found := 0
	resources := document(t, template, "Resources")
	for i := 0; i+1 < len(resources.Content); i += 2 {
		if r := resources.Content[i+1]; child(r, "Type").Value == kind {
			visit(resources.Content[i].Value, r, child(r, "Properties"))
			found++
		}
	}
	if found == 0 {
		t.Errorf("%s has no %s", template, kind)
	}
}

// TestTargetGroupHasNoName: a target group with a name cannot be replaced.
func TestTargetGroupHasNoName(t *testing.T) {
	for kind, key := range map[string]string{"TargetGroup": "Name", "LoadBalancer": "Name"} {
		each(t, "site-alb", "AWS::ElasticLoadBalancingV2::"+kind, func(name string, _, p *yaml.Node) {
			if child(p, key) != nil {
				t.Errorf("%s has a name", name)
			}
		})
	}
}

// TestIngress: tasks receive requests on one TCP port from one security group.
func TestIngress(t *testing.T) {
	check := func(rule *yaml.Node) {
		if child(rule, "IpProtocol").Value != "tcp" || child(rule, "SourceSecurityGroupId") == nil || child(rule, "FromPort").Value != child(rule, "ToPort").Value {
			t.Errorf("a rule is %v", resolver{t: t}.resolve(rule))
		}
	}
	check(document(t, "site-alb", "Resources", "TaskSecurityGroup", "Properties", "SecurityGroupIngress").Content[0])
	each(t, "site-api", "AWS::EC2::SecurityGroupIngress", func(_ string, _, p *yaml.Node) { check(p) })
}

// TestPreflight: with an authorizer, each path has a route for preflight requests, which
// have no token, and all others need one.
func TestPreflight(t *testing.T) {
	paths := map[string]string{"Path1": "/", "Path2": "/pets", "Path3": "/cars"}
	for _, root := range []bool{true, false} {
		if !root {
			paths["Path1"] = "/food"
		}
		r := resolver{t: t, values: paths, conditions: map[string]bool{"HasAuthorizer": true, "AtRoot1": root, "AtPath1": !root}}
		with, without := []string{}, []string{}
		each(t, "site-api", "AWS::ApiGatewayV2::Route", func(_ string, resource, p *yaml.Node) {
			if c := child(resource, "Condition"); c != nil && c.Value == "AtPath1" && root {
				return
			}
			key := fmt.Sprint(r.resolve(child(p, "RouteKey")))
			if r.resolve(child(p, "AuthorizationType")) == "JWT" {
				with = append(with, key)
			} else {
				without = append(without, key)
			}
		})
		wantWith := []string{"$default", "ANY /cars", "ANY /cars/{proxy+}", "ANY /pets", "ANY /pets/{proxy+}"}
		wantWithout := []string{"OPTIONS /", "OPTIONS /cars", "OPTIONS /cars/{proxy+}", "OPTIONS /pets", "OPTIONS /pets/{proxy+}", "OPTIONS /{proxy+}"}
		if !root {
			wantWith = []string{"ANY /cars", "ANY /cars/{proxy+}", "ANY /food", "ANY /food/{proxy+}", "ANY /pets", "ANY /pets/{proxy+}"}
			wantWithout = []string{"OPTIONS /cars", "OPTIONS /cars/{proxy+}", "OPTIONS /food", "OPTIONS /food/{proxy+}", "OPTIONS /pets", "OPTIONS /pets/{proxy+}"}
		}
		slices.Sort(with)
		slices.Sort(without)
		if !slices.Equal(with, wantWith) || !slices.Equal(without, wantWithout) {
			t.Errorf("routes with a token are %q, want %q; without %q, want %q", with, wantWith, without, wantWithout)
		}
	}
}

// TestSecretStaysOut: the value of the header is in no template.
func TestSecretStaysOut(t *testing.T) {
	header := document(t, "site-cdn", "Resources", "Distribution", "Properties", "DistributionConfig", "Origins").Content[0]
	value := child(child(header, "OriginCustomHeaders").Content[0], "HeaderValue")
	got := fmt.Sprint(resolver{t: t, imports: map[string]string{"OriginSecret": "arn:secret"}}.resolve(value))
	if want := "{{resolve:secretsmanager:arn:secret:SecretString}}"; got != want {
		t.Errorf("CloudFront sends %s, want %s", got, want)
	}
}

// TestLeastPrivilege: a policy allows all resources only where AWS has no narrower ones,
// and no action by a pattern.
func TestLeastPrivilege(t *testing.T) {
	wide := map[string]bool{
		"ecr:GetAuthorizationToken": true, "secretsmanager:GetRandomPassword": true,
		"ecs:DescribeTaskDefinition": true, "ecs:RegisterTaskDefinition": true, "ecs:ListTasks": true,
	}
	count := 0
	for _, s := range templates(t) {
		nodes(document(t, s.Name), "", func(_ string, n *yaml.Node) {
			action, resource := child(n, "Action"), child(n, "Resource")
			if child(n, "Effect") == nil || action == nil || resource == nil {
				return
			}
			count++
			actions, everything := values(action), slices.Contains(values(resource), "*")
			for _, a := range actions {
				if strings.Contains(a, "*") || everything && !wide[a] {
					t.Errorf("%s allows %s on %v", s.Name, a, values(resource))
				}
			}
		})
	}
	if count < 20 {
		t.Errorf("%d statements, want those of all templates", count)
	}
}

// values are the texts of a scalar or of a list of scalars.
func values(n *yaml.Node) []string {
	if n.Kind == yaml.ScalarNode {
		return []string{n.Value}
	}
	var out []string
	for _, c := range n.Content {
		out = append(out, c.Value)
	}
	return out
}
