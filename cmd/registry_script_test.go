package cmd

import (
	"archive/tar"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"slipway/internal/testkit"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/rogpeppe/go-internal/testscript"
)

// registry FILE [PREFIX...] writes all that ECR has to a file, a line each for tags
// with their digests and for lifecycle policies, read by a client of its own. Tags
// that begin with one of the prefixes are left out.
func writeRegistry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: registry FILE [PREFIX...]")
	}
	client := scriptECR(ts)
	repositories, err := client.DescribeRepositories(context.Background(), &ecr.DescribeRepositoriesInput{})
	ts.Check(err)
	var lines []string
	for _, r := range repositories.Repositories {
		name := *r.RepositoryName
		lines = append(lines, name)
		images, err := client.DescribeImages(context.Background(), &ecr.DescribeImagesInput{RepositoryName: &name})
		ts.Check(err)
		for _, i := range images.ImageDetails {
			for _, tag := range i.ImageTags {
				if !slices.ContainsFunc(args[1:], func(prefix string) bool { return strings.HasPrefix(tag, prefix) }) {
					lines = append(lines, fmt.Sprintf("%s:%s %s", name, tag, *i.ImageDigest))
				}
			}
		}
		if p, err := client.GetLifecyclePolicy(context.Background(), &ecr.GetLifecyclePolicyInput{RepositoryName: &name}); err == nil {
			lines = append(lines, name+" "+*p.LifecyclePolicyText)
		}
	}
	slices.Sort(lines)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Join(lines, "\n")+"\n"), 0o644))
}

// holds IMAGE PATH TEXT checks that a file of an image in the sandbox has the text.
func holds(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: holds IMAGE PATH TEXT")
	}
	ref, err := name.ParseReference(strings.TrimPrefix(sandboxOf(ts).URL(), "http://") + "/" + args[0])
	ts.Check(err)
	image, err := remote.Image(ref, remote.WithAuth(&authn.Basic{Username: "AWS", Password: ecrPassword(ts)}))
	ts.Check(err)
	files := mutate.Extract(image)
	defer files.Close()
	archive := tar.NewReader(files)
	for {
		header, err := archive.Next()
		if err != nil {
			ts.Fatalf("%s: %s: %v", args[0], args[1], err)
		}
		if header.Name != args[1] {
			continue
		}
		data, err := io.ReadAll(archive)
		ts.Check(err)
		if strings.Contains(string(data), args[2]) == neg {
			ts.Fatalf("%s: %s holds %q", args[0], args[1], data)
		}
		return
	}
}

// ecrPassword is a token for the sandbox's registry.
func ecrPassword(ts *testscript.TestScript) string {
	out, err := scriptECR(ts).GetAuthorizationToken(context.Background(), &ecr.GetAuthorizationTokenInput{})
	ts.Check(err)
	token, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
	ts.Check(err)
	_, password, _ := strings.Cut(string(token), ":")
	return password
}

// scriptECR is a client of the script's sandbox.
func scriptECR(ts *testscript.TestScript) *ecr.Client {
	return testkit.ECRClient(sandboxOf(ts).URL(), "us-east-1")
}

// probe FILE writes the program of the test images, which says what a RUN step sees.
func writeProbe(ts *testscript.TestScript, _ bool, args []string) {
	program, err := testkit.Probe()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(program), 0o755))
}

// digest REPOSITORY TAG sets DIGEST to what the tag points to.
func setDigest(ts *testscript.TestScript, _ bool, args []string) {
	digest := sandboxOf(ts).Tags(args[0])[args[1]]
	if digest == "" {
		ts.Fatalf("%s has no tag %s", args[0], args[1])
	}
	ts.Setenv("DIGEST", digest)
}
