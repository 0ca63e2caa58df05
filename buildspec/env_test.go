package buildspec

import (
	"fmt"
	"strings"
	"testing"
)

func lookup(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := vars[name]
		return v, ok
	}
}

func TestFromEnv(t *testing.T) {
	got := FromEnv(lookup(map[string]string{
		"CODEBUILD_BUILD_ID":                "shop:1234",
		"CODEBUILD_RESOLVED_SOURCE_VERSION": "1a2b\n",
		"CODEBUILD_SOURCE_VERSION":          "main",
		"CODEBUILD_SOURCE_REPO_URL":         "https://github.com/a/shop",
		"CODEBUILD_INITIATOR":               "codepipeline/shop/extra",
		"CODEBUILD_SRC_DIR":                 "/codebuild/output/src1/src",
		"AWS_REGION":                        "eu-central-1",
		"AWS_DEFAULT_REGION":                "us-east-1",
	}))
	want := Env{
		InCodeBuild: true, BuildID: "shop:1234",
		ResolvedSourceVersion: "1a2b", SourceVersion: "main", SourceRepoURL: "https://github.com/a/shop",
		Initiator: "codepipeline/shop/extra", InPipeline: true, PipelineName: "shop/extra",
		SrcDir: "/codebuild/output/src1/src", Region: "eu-central-1",
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := FromEnv(lookup(nil)); got != (Env{}) {
		t.Errorf("empty environment: got %+v", got)
	}
	got = FromEnv(lookup(map[string]string{"CODEBUILD_INITIATOR": "MyUserName", "AWS_DEFAULT_REGION": "us-east-1"}))
	if want := (Env{Initiator: "MyUserName", Region: "us-east-1"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestObjectVersion(t *testing.T) {
	const s3URL = "s3://bucket/source.zip"
	for _, tt := range []struct{ name, url, version, want string }{
		{"s3", s3URL, "3/L4kqtJlcpXroDTDmJ+rmSp", "3/L4kqtJlcpXroDTDmJ+rmSp"},
		{"s3 by arn", "arn:aws-cn:s3:::bucket/source.zip", "abc", "abc"},
		{"s3 without versions", s3URL, "null", ""},
		{"s3, not set", s3URL, "", ""},
		{"pipeline artifact", s3URL, "arn:aws:s3:::bucket/shop/SourceArti/x.zip", ""},
		{"pipeline, no address", "", "abc", ""},
		{"branch", "https://github.com/a/shop", "main", ""},
		{"branch that looks like a version", "https://github.com/a/shop", "3LL4kqtJlcpXroDTDmJrmSpXd3dIbrHY", ""},
		{"pull request", "https://github.com/a/shop", "pr/12", ""},
	} {
		e := Env{SourceRepoURL: tt.url, SourceVersion: tt.version}
		if got := e.ObjectVersion(); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// FuzzEnv: an S3 object version never comes from a source that is not S3, and
// is never something that does not name one version.
func FuzzEnv(f *testing.F) {
	f.Add("s3://b/k", "v", "codepipeline/x")
	f.Add("https://github.com/a/b", "pr/12", "user")
	f.Add("", "arn:aws:s3:::b/k", "codepipeline/")
	f.Fuzz(func(t *testing.T, url, version, initiator string) {
		e := FromEnv(lookup(map[string]string{
			"CODEBUILD_SOURCE_REPO_URL": url,
			"CODEBUILD_SOURCE_VERSION":  version,
			"CODEBUILD_INITIATOR":       initiator,
		}))
		if v := e.ObjectVersion(); v != "" && (strings.TrimSpace(version) != v || !strings.Contains(url, "s3:")) {
			t.Fatalf("%q at %q has the object version %q", version, url, v)
		}
		if why, n := e.Untrusted(); n < 0 || n > 0 && why == "" {
			t.Fatalf("%q is pull request %d, since %q", version, n, why)
		}
		if e.InPipeline && e.Initiator != "codepipeline/"+e.PipelineName {
			t.Fatalf("%q is pipeline %q", initiator, e.PipelineName)
		}
	})
}

func ExampleFromEnv() {
	e := FromEnv(lookup(map[string]string{
		"CODEBUILD_BUILD_ID":       "shop:1234",
		"CODEBUILD_SOURCE_VERSION": "pr/12",
	}))
	fmt.Println(e.InCodeBuild)
	fmt.Println(e.Untrusted())
	// Output:
	// true
	// CODEBUILD_SOURCE_VERSION is pr/12 12
}
