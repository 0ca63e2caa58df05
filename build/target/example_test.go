package target_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"slipway/build/target"
	"slipway/project/compose"
)

// From a project's files to the requests for BuildKit, touching nothing.
func Example() {
	dir, err := os.MkdirTemp("", "shop")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for name, text := range map[string]string{
		"Dockerfile":   "FROM scratch\nCOPY . /\n",
		"compose.yaml": "services:\n  web:\n    build:\n      context: .\n      args: {VERSION: '${VERSION}'}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			log.Fatal(err)
		}
	}
	project, err := compose.Load(context.Background(), compose.Options{Dir: dir, Environ: []string{"VERSION=7"}})
	if err != nil {
		log.Fatal(err)
	}
	targets, _, err := target.Select(project, target.Selection{})
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range targets {
		request := t.SolveOpt(target.Push{Repository: "registry.example.org/shop/web"}, target.Sources{})
		fmt.Println(t.Service, request.FrontendAttrs["build-arg:VERSION"], request.Exports[0].Attrs["name"])
	}
	// Output: web 7 registry.example.org/shop/web
}

func ExampleParseCache() {
	for _, s := range []string{"registry.example.org/web:cache", "type=s3,bucket=b,region=eu-west-1"} {
		c, err := target.ParseCache(s)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(c)
	}
	// Output:
	// type=registry,ref=registry.example.org/web:cache
	// type=s3,bucket=b,region=eu-west-1
}

func ExampleTarget_Inputs() {
	one := target.Target{Service: "web", Context: target.Context{Dir: "/home/ann/shop"}, Tags: []string{"web:1"}}
	two := target.Target{Service: "web", Context: target.Context{Dir: "/codebuild/src"}, Tags: []string{"web:2"}}
	fmt.Println(one.Inputs("/home/ann/shop", "linux/amd64") == two.Inputs("/codebuild/src", "linux/amd64"))
	// Output: true
}
