package project

import (
	"testing"

	"slipway/build/target"
	"slipway/project/compose"
)

// TestMayBeSame: one repository, however its host is spelt.
func TestMayBeSame(t *testing.T) {
	t.Parallel()
	p := &Plan{}
	for _, name := range []string{"shop/web", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/api"} {
		ref, err := RepositoryOf(target.Target{Service: "s", Container: "s", Settings: compose.ServiceSettings{Repository: name}}, "shop", func(string) (string, bool) { return "", false })
		if err != nil {
			t.Fatal(err)
		}
		p.Components = append(p.Components, Component{Ref: ref})
	}
	for ref, want := range map[string]string{
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web:x":       "x",
		"123456789012.dkr-ecr.us-east-1.on.aws/shop/web:x":              "x",
		"123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/shop/web:x":  "x",
		"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/shop/web:x":   "x",
		"123456789012.DKR.ECR.us-east-1.amazonaws.com/shop/web":         "latest",
		"localhost:5000/shop/web":                                       "latest",
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/api:x":       "x",
		"123456789012.dkr-ecr.eu-west-1.on.aws/shop/api:x":              "x",
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/api:x":       "",
		"999999999999.dkr.ecr.eu-west-1.amazonaws.com/shop/api:x":       "",
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/web/cache:x": "",
		"ghcr.io/shop/web:x": "",
		"shop/web:x":         "",
	} {
		tag, own := p.OwnTag(target.Cache{Type: "registry", Attrs: map[string]string{"ref": ref}})
		if tag != want || own != (want != "") {
			t.Errorf("%s: tag %q, own %v, want %q", ref, tag, own, want)
		}
	}
	if _, own := p.OwnTag(target.Cache{Type: "gha"}); own {
		t.Error("a cache elsewhere lies in a repository of the project")
	}
}
