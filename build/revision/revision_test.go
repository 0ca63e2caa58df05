package revision

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

const (
	id40       = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"
	contentSum = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
)

func content(context.Context) (string, error) { return contentSum, nil }

// TestOf is the table of where a hash comes from, first to last.
func TestOf(t *testing.T) {
	repo, empty, plain := newRepo(t), t.TempDir(), t.TempDir()
	run(t, empty, "init", "-q")
	head := headOf(t, repo)
	fromContent := contentSum[:nameDigits]
	for _, tt := range []struct {
		name   string
		in     Inputs
		want   string
		source Source
	}{
		{"flag wins", Inputs{Flag: "v7", ResolvedSourceVersion: id40, Dir: repo}, "v7", Flag},
		{"codebuild: git", Inputs{ResolvedSourceVersion: id40, Dir: repo}, "1a2b3c4d5e6f", CodeBuildCommit},
		{"codebuild: git, sha256", Inputs{ResolvedSourceVersion: id40 + id40[:24]}, "1a2b3c4d5e6f", CodeBuildCommit},
		{"codebuild: upper case", Inputs{ResolvedSourceVersion: strings.ToUpper(id40) + "\n"}, "1a2b3c4d5e6f", CodeBuildCommit},
		{"pull request, resolved", Inputs{ResolvedSourceVersion: id40}, "1a2b3c4d5e6f", CodeBuildCommit},
		{"pull request, not resolved, no git", Inputs{Dir: plain}, fromContent, Content},
		{"pull request, not resolved, git", Inputs{Dir: repo}, head, Git},
		{"s3 with version", Inputs{ObjectVersion: "3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY"}, "12ffa61ef939", CodeBuildSource},
		{"s3 without version", Inputs{Dir: plain}, fromContent, Content},
		{"codepipeline: object version", Inputs{ResolvedSourceVersion: "3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY"}, "12ffa61ef939", CodeBuildSource},
		{"codepipeline: commit", Inputs{ResolvedSourceVersion: id40, ObjectVersion: "x"}, "1a2b3c4d5e6f", CodeBuildCommit},
		{"codepipeline: absent", Inputs{Dir: plain}, fromContent, Content},
		{"short id is no commit", Inputs{ResolvedSourceVersion: "1a2b3c4"}, "47f1293760aa", CodeBuildSource},
		{"latest is hashed", Inputs{ResolvedSourceVersion: "latest"}, "5e1e2bcac305", CodeBuildSource},
		{"blank variables", Inputs{ResolvedSourceVersion: " ", ObjectVersion: "\t", Dir: repo}, head, Git},
		{"no commit", Inputs{Dir: empty}, fromContent, Content},
		{"git not asked", Inputs{}, fromContent, Content},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.in.Content = content
			h, err := Of(t.Context(), tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if h.Name != tt.want || h.Source != tt.source || h.Detail == "" {
				t.Errorf("got %+v, want %q from %q", h, tt.want, tt.source)
			}
		})
	}
}

func TestOfWithoutGitBinary(t *testing.T) {
	repo := newRepo(t)
	t.Setenv("PATH", t.TempDir())
	h, err := Of(t.Context(), Inputs{Dir: repo, Content: content})
	if err != nil || h.Source != Content || !strings.Contains(h.Detail, "git is not installed") {
		t.Errorf("got %+v, %v, want a name from the content, as git is not installed", h, err)
	}
}

func TestOfErrors(t *testing.T) {
	var bad *NameError
	for _, flag := range []string{"latest", "deployed", "buildcache", "a b", "-x", ".x", "x.2", strings.Repeat("x", MaxName+1)} {
		h, err := Of(t.Context(), Inputs{Flag: flag, Content: content})
		if !errors.As(err, &bad) || bad.Name != flag || h != (Hash{}) {
			t.Errorf("flag %q: got %+v, %v, want a NameError and no name", flag, h, err)
		}
	}
	if _, err := Of(t.Context(), Inputs{Dir: t.TempDir()}); !errors.Is(err, ErrNoSource) {
		t.Errorf("nothing to take it from: got %v", err)
	}
	for _, sum := range []string{"", "abc", strings.ToUpper(contentSum), contentSum[1:] + "/"} {
		_, err := Of(t.Context(), Inputs{Content: func(context.Context) (string, error) { return sum, nil }})
		if err == nil {
			t.Errorf("content %q: no error", sum)
		}
	}
	_, err := Of(t.Context(), Inputs{Content: func(context.Context) (string, error) { return "", os.ErrPermission }})
	if !errors.Is(err, os.ErrPermission) {
		t.Errorf("content fails: got %v", err)
	}
}

// FuzzOf looks for a value of CodeBuild's variables that gives an illegal
// hash, or that gives the same hash as another.
func FuzzOf(f *testing.F) {
	for _, s := range []string{"", " ", "latest", id40, strings.ToUpper(id40), "pr/12", "null", "a.2", "\x00", "é"} {
		f.Add(s, s)
		f.Add("", s)
	}
	f.Fuzz(func(t *testing.T, resolved, object string) {
		h, err := Of(t.Context(), Inputs{ResolvedSourceVersion: resolved, ObjectVersion: object, Content: content})
		if err != nil {
			t.Fatal(err)
		}
		if err := Validate(h.Name); err != nil {
			t.Fatal(err)
		}
		blank := strings.TrimSpace(resolved) == "" && strings.TrimSpace(object) == ""
		if blank != (h.Source == Content) {
			t.Fatalf("%q, %q: taken from %s", resolved, object, h.Source)
		}
		if strings.TrimSpace(resolved) == "" {
			return
		}
		other, err := Of(t.Context(), Inputs{ResolvedSourceVersion: "other " + resolved})
		if err != nil || other.Name == h.Name {
			t.Fatalf("%q and %q: both %q, %v", resolved, "other "+resolved, h.Name, err)
		}
	})
}

func ExampleOf() {
	h, err := Of(context.Background(), Inputs{
		ResolvedSourceVersion: "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d",
	})
	fmt.Println(h.Name, err)
	fmt.Println(h.Source)
	// Output:
	// 1a2b3c4d5e6f <nil>
	// codebuild commit
}
