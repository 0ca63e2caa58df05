package awsname

import (
	"strings"
	"testing"
	"unicode"
)

const longest = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"

// climbing are names that lead out of a directory. Names of roles, pipelines, log groups
// and deployment groups may have dots, and no path is made of them.
var climbing = []string{"x/../../config", "..", "../x", ".", "a/b/.."}

// pathless are the checks of names that a path is made of, or a host.
var pathless = []string{"partition", "region", "account", "cluster", "service", "container"}

// hostile are names that no grammar takes: wildcards, variables, controls.
var hostile = []string{
	"shop*", "sh?p", "$shop", "${aws:username}", "shop\n", "sh\nop", "shop\x00", "shop ", "a b", "shöp", "sh\u202eop", "shop\"", "shop'", "a;b", "a|b", "`a`", "-- ,",
	"arn:aws:ecs:us-east-1:123456789012:service/*", "arn:aws:ecs:*:123456789012:service/c/s", "arn:aws:ecs:us-east-1:*:cluster/c", "arn:aws:iam::123456789012:role/*", "arn:*:iam::123456789012:role/x", "arn:aws:ecs", "arn:",
}

// checks are all checks with what each takes and refuses.
var checks = map[string]struct {
	check     func(string) error
	good, bad []string
}{
	"partition": {check: CheckPartition, good: []string{"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc"}, bad: []string{"aws-x", "AWS"}},
	"region": {
		check: CheckRegion,
		good:  []string{"us-east-1", "ap-southeast-7", "mx-central-1", "cn-northwest-1", "us-gov-west-1", "us-iso-east-1", "us-isob-west-1", "us-isof-south-1", "eu-isoe-west-1", "eusc-de-east-1"},
		bad:   []string{"us-east", "US-EAST-1", "us-east-1.evil.example", "us-east-1/", "us-east-1@evil", "aws-global", "us-east-100", "localhost", "xx-east-1"},
	},
	"account": {check: CheckAccount, good: []string{"123456789012", "000000000000"}, bad: []string{"12345678901", "1234567890123", "12345678901x", "１23456789012"}},
	"cluster": {
		check: CheckCluster,
		good:  []string{"shop", "Shop_1-2", strings.Repeat("a", 255), "arn:aws:ecs:us-east-1:123456789012:cluster/shop", "arn:aws-cn:ecs:cn-north-1:123456789012:cluster/shop"},
		bad:   []string{strings.Repeat("a", 256), "a.b", "a/b", "arn:aws:ecs:us-east-1:123456789012:service/shop", "arn:aws:ecs:cn-north-1:123456789012:cluster/shop", "arn:aws:ecs:us-east-1:1:cluster/shop", "arn:aws:ecr:us-east-1:123456789012:cluster/shop", "arn:aws:ecs:us-east-1:123456789012:cluster/a/b"},
	},
	"service": {
		check: CheckService,
		good:  []string{"shop", strings.Repeat("a", 255), "arn:aws:ecs:us-east-1:123456789012:service/main/shop", "arn:aws:ecs:us-east-1:123456789012:service/shop", "arn:aws-us-gov:ecs:us-gov-west-1:123456789012:service/main/shop"},
		bad:   []string{strings.Repeat("a", 256), "a.b", "main/shop", "arn:aws:ecs:us-east-1:123456789012:service/main/shop/x", "arn:aws:ecs:us-east-1:123456789012:service/../x", "arn:aws:ecs:us-east-1:123456789012:service/", "arn:aws:ecs:us-east-1:123456789012:cluster/shop"},
	},
	"container": {check: CheckContainer, good: []string{"web", "Web_1-2"}, bad: []string{"a.b", strings.Repeat("a", 256)}},
	"role": {
		check: CheckRole,
		good:  []string{"exec", "/exec", "service-role/exec", "a+b=c,d.e@f_g-h", "arn:aws:iam::123456789012:role/exec", "arn:aws:iam::123456789012:role/service-role/exec"},
		bad:   []string{strings.Repeat("a", 65), "a//b", "exec/", "arn:aws:iam::1:role/exec", "arn:aws:iam::123456789012:user/me", "arn:aws:iam:us-east-1:123456789012:role/exec", "arn:aws:sts::123456789012:assumed-role/exec/job"},
	},
	"principal":  {check: CheckPrincipal, good: []string{"exec", "arn:aws:iam::123456789012:role/exec", "arn:aws:iam::123456789012:user/path/me"}, bad: []string{"arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:group/x"}},
	"pipeline":   {check: CheckPipeline, good: []string{"shop", "a.b@c-d_e", longest[:100]}, bad: []string{longest, "a/b"}},
	"log group":  {check: CheckLogGroup, good: []string{"/ecs/shop", "a.b-c_d/e#f"}, bad: []string{strings.Repeat("a", 513), "/ecs/*", "a:b"}},
	"deployment": {check: CheckDeploymentGroup, good: []string{"AppECS-main-shop/DgpECS-main-shop", "a.b/c_d"}, bad: []string{"shop", "a/b/c", "/b", "a/", longest + "/b"}},
}

func TestChecks(t *testing.T) {
	t.Parallel()
	for what, c := range checks {
		for _, name := range c.good {
			if err := c.check(name); err != nil {
				t.Errorf("%s %q: got error %v, want none", what, name, err)
			}
		}
		for _, name := range append(append([]string{""}, c.bad...), hostile...) {
			if err := c.check(name); err == nil {
				t.Errorf("%s %q is taken", what, name)
			}
		}
	}
	for _, what := range pathless {
		for _, name := range climbing {
			if err := checks[what].check(name); err == nil {
				t.Errorf("%s %q is taken", what, name)
			}
		}
	}
}

func TestPartitionOf(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{
		"eu-west-1": "aws", "cn-north-1": "aws-cn", "us-gov-east-1": "aws-us-gov", "us-iso-west-1": "aws-iso", "us-isob-east-1": "aws-iso-b",
		"us-isof-east-1": "aws-iso-f", "eu-isoe-west-1": "aws-iso-e", "eusc-de-east-1": "aws-eusc", "eusc-fr-east-1": "", "": "",
	} {
		if p, ok := PartitionOf(region); p.ID != want || ok != (want != "") {
			t.Errorf("PartitionOf(%q) = %q, %v, want %q", region, p.ID, ok, want)
		}
	}
}

// FuzzChecks: nothing that is taken anywhere has a character that a policy, a shell, a
// path's parent or a line of YAML reads in another way.
func FuzzChecks(f *testing.F) {
	for _, c := range checks {
		for _, name := range append(c.good, c.bad...) {
			f.Add(name)
		}
	}
	for _, name := range hostile {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		for what, c := range checks {
			if c.check(name) != nil {
				continue
			}
			odd := func(r rune) bool {
				return r > unicode.MaxASCII || unicode.IsControl(r) || strings.ContainsRune("*?${}'\"\\`!|&;<>() ", r)
			}
			if name == "" || len(name) > 700 || strings.ContainsFunc(name, odd) {
				t.Fatalf("%s: %q is taken", what, name)
			}
		}
	})
}

func TestLastPart(t *testing.T) {
	for s, want := range map[string][2]string{
		"arn:aws:ecs:eu-west-1:111122223333:task/shop/0123": {"0123", "0123"},
		"ecs-svc/7": {"7", "7"},
		"web":       {"web", ""},
		"":          {"", ""},
	} {
		if got := [2]string{LastPart(s), AfterSlash(s)}; got != want {
			t.Errorf("LastPart and AfterSlash of %q = %q, want %q", s, got, want)
		}
	}
}
