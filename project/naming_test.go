package project

import (
	"testing"

	"slipway/build/target"
	"slipway/internal/fault"
	"slipway/project/compose"
	"slipway/registry"
)

func none(string) (string, bool) { return "", false }

func TestRepositoryOf(t *testing.T) {
	env := func(name string) (string, bool) {
		v, ok := map[string]string{
			"my-api_REPOSITORY_URI": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/amplify/api",
			"empty_REPOSITORY_URI":  "",
			"other_REPOSITORY_URI":  "ghcr.io/not/ecr",
		}[name]
		return v, ok
	}
	amplify := registry.Ref{Account: "123456789012", Region: "eu-west-1", Name: "amplify/api"}
	for _, c := range []struct {
		what   string
		target target.Target
		want   registry.Ref
		fails  bool
	}{
		{"derived", target.Target{Service: "Api", Container: "web"}, registry.Ref{Name: "shop/api"}, false},
		{"x-slipway before all", target.Target{Service: "api", Container: "my-api", Image: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/x/y", Settings: compose.ServiceSettings{Repository: "own/name"}}, registry.Ref{Name: "own/name"}, false},
		{"an ECR image before the variable", target.Target{Service: "api", Container: "my-api", Image: "222222222222.dkr.ecr.us-east-1.amazonaws.com/x/y:1"}, registry.Ref{Account: "222222222222", Region: "us-east-1", Name: "x/y"}, false},
		{"the variable, by container", target.Target{Service: "api", Container: "my-api"}, amplify, false},
		{"an image elsewhere names nothing", target.Target{Service: "api", Container: "my-api", Image: "ghcr.io/x/y:1"}, amplify, false},
		{"an image on this host names nothing", target.Target{Service: "api", Container: "api", Image: "localhost:5000/other/app:1"}, registry.Ref{Name: "shop/api"}, false},
		{"an image on this host by address names nothing", target.Target{Service: "api", Container: "my-api", Image: "127.0.0.1:5000/other/app"}, amplify, false},
		{"a Docker Hub image names nothing", target.Target{Service: "api", Container: "api", Image: "shop-api"}, registry.Ref{Name: "shop/api"}, false},
		{"an empty variable", target.Target{Service: "api", Container: "empty"}, registry.Ref{Name: "shop/api"}, false},
		{"a variable that is no ECR", target.Target{Service: "api", Container: "other"}, registry.Ref{}, true},
		{"a broken image", target.Target{Service: "api", Container: "api", Image: "foo:"}, registry.Ref{}, true},
		{"a service that makes no name", target.Target{Service: "a-", Container: "api"}, registry.Ref{}, true},
	} {
		got, err := RepositoryOf(c.target, "shop", env)
		if (err != nil) != c.fails || !c.fails && got != c.want {
			t.Errorf("%s: %+v, %v, want %+v", c.what, got, err, c.want)
		}
		if err != nil && fault.KindOf(err) != fault.Input {
			t.Errorf("%s: %v is no bad input", c.what, err)
		}
	}
}

// The registry of a local stand-in for AWS is ECR.
func TestRepositoryOfAnImageOnThisHost(t *testing.T) {
	target := target.Target{Service: "api", Container: "api", Image: "localhost:5000/other/app:1"}
	for _, variable := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_ECR"} {
		env := func(name string) (string, bool) { return "http://127.0.0.1:4566", name == variable }
		if got, err := RepositoryOf(target, "shop", env); err != nil || got.Name != "other/app" {
			t.Errorf("with %s: %+v, %v, want other/app", variable, got, err)
		}
	}
}

func TestExtraTags(t *testing.T) {
	repo := registry.Ref{Account: "123456789012", Region: "eu-west-1", Name: "shop/api"}
	for _, c := range []struct {
		entry, want string
		fails       bool
	}{
		{"stable", "stable", false},
		{"shop/api:v1", "v1", false},
		{"123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/api:v1", "v1", false},
		{"example.com/image:v2", "v2", false}, // the image key's own repository
		{"latest", "", false},                 // moves by itself
		{"shop/api", "", false},               // means latest
		{"the-hash", "", false},
		{"deployed", "", true},
		{"buildcache", "", true},
		{"other/api:v1", "", true},
		{"222222222222.dkr.ecr.eu-west-1.amazonaws.com/shop/api:v1", "", true},
		{"shop/api@sha256:0123456789012345678901234567890123456789012345678901234567890123", "", true},
		{"-x", "", true},
		{"shop/api:", "", true},
	} {
		target := target.Target{Service: "api", Image: "example.com/image:x", Tags: []string{c.entry, c.entry}}
		got, err := ParseExtraTags(target, repo, "the-hash")
		want := 0
		if c.want != "" {
			want = 1
		}
		if (err != nil) != c.fails || !c.fails && (len(got) != want || want == 1 && got[0] != c.want) {
			t.Errorf("%q: %v, %v, want %q", c.entry, got, err, c.want)
		}
	}
}

// FuzzNaming derives a repository from any names: it is one that ECR takes, or an error
// that counts as bad input.
func FuzzNaming(f *testing.F) {
	f.Add("shop", "api", "", "", "")
	f.Add("shop", "API", "foo:", "x/y", "v1")
	f.Add("s", "a", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/x/y:1", "arn:aws:ecr:eu-west-1:123456789012:repository/x", "a/b:c")
	f.Fuzz(func(t *testing.T, composed, name, image, repository, tag string) {
		target := target.Target{Service: name, Container: name, Image: image, Tags: []string{tag}, Settings: compose.ServiceSettings{Repository: repository}}
		ref, err := RepositoryOf(target, composed, none)
		if err != nil {
			if fault.KindOf(err) != fault.Input {
				t.Fatalf("%v is no bad input", err)
			}
			return
		}
		if err := registry.ValidateName(ref.Name); err != nil {
			t.Fatalf("made %q: %v", ref.Name, err)
		}
		tags, err := ParseExtraTags(target, ref, "h")
		if err != nil && fault.KindOf(err) != fault.Input {
			t.Fatalf("%v is no bad input", err)
		}
		for _, tag := range tags {
			if err := registry.ValidateTag(tag); err != nil {
				t.Fatalf("made tag %q: %v", tag, err)
			}
		}
	})
}
