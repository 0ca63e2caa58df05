package buildspec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"slipway/internal/golden"
)

// TestCheckAmplify: the generated file is known, with all that is wrong with it.
func TestCheckAmplify(t *testing.T) {
	data, err := os.ReadFile("testdata/amplify.yml")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Check(data)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "amplify.golden", out.Bytes())
	if !r.Amplify || r.Faults() == 0 {
		t.Errorf("amplify %v, %d faults", r.Amplify, r.Faults())
	}
}

// inBuild is a buildspec whose build phase has the commands, the first of them in line 5.
func inBuild(commands ...string) string {
	return "version: 0.2 # privileged mode\nphases:\n  build:\n    commands:\n      - |\n        " + strings.Join(commands, "\n        ") + "\nartifacts: {files: [imagedefinitions.json]}\n"
}

// TestCheckRules has for each rule what it finds, as RULE@LINE, and what it leaves alone.
func TestCheckRules(t *testing.T) {
	const (
		push = "docker push $REPO"
		pre  = "version: 0.2 # privileged\nphases:\n"
	)
	for _, tt := range []struct{ name, file, want string }{
		{"good", inBuild("slipway build"), ""},
		{"list in one line", "version: 0.2 # privileged\nphases: {build: {commands: [slipway build]}}\nartifacts: {files: [imagedefinitions.json]}", ""},
		{"folded command", pre + "  build:\n    commands:\n      - >\n        slipway\n        build --plan\n", ""},

		{"byte order mark", "\ufeff" + inBuild("slipway build"), "byte-order-mark@1"},
		{"version 0.1", "version: 0.1\nphases: {build: {commands: [make]}}", "version@1"},
		{"no version", "phases: {build: {commands: [make]}}", "version@1"},
		{"nothing to do", "version: 0.2\nphases: {build: {commands: []}}", "no-commands@1"},
		{"unknown keys below", "version: 0.2\nenv:\n  exported-variable: [A]\nphases:\n  build:\n    run_as: me\n    commands: [make]\nartifacts:\n  file: [a]\n  files: [b]", "unknown-key@3 unknown-key@6 unknown-key@9"},
		{"unknown key", "version: 0.2\nphase: {}\nx-own: 1\nphases: {build: {commands: [make]}}", "unknown-key@2"},
		{"unknown phase", "version: 0.2\nphases:\n  deploy: {commands: [make]}\n  build: {commands: [make]}", "unknown-phase@3"},
		{"command is a mapping", "version: 0.2\nphases:\n  build:\n    commands:\n      - echo result: done\n      - make", "command-no-string@5"},
		{"commands are a mapping", "version: 0.2\nphases:\n  build:\n    commands:\n      make: it", "command-no-string@5"},
		{"old runtimes", pre + "  install: {runtime-versions: {docker: 20, nodejs: 16, python: 3.8, golang: 1.19}}\n  build: {commands: [make]}", "runtime@3"},
		{"current runtimes", pre + "  install: {runtime-versions: {nodejs: 22, python: 3.x, java: corretto21, golang: latest}}\n  build: {commands: [make]}", ""},
		{"definitions not listed", "version: 0.2 # privileged\nphases: {build: {commands: [slipway build]}}", "no-artifacts@2"},
		{"definitions rolled out", "version: 0.2 # privileged\nphases: {build: {commands: [slipway build --rollout]}}", ""},
		{"other file listed", pre + "  build:\n    commands: ['echo x > out/imagedefinitions.json']\nartifacts: {files: [appspec.yml]}", "no-artifacts@4"},
		{"everything listed", pre + "  build:\n    commands: ['echo x > out/imagedefinitions.json']\nartifacts: {files: ['**/*']}", "artifact-nested@4"},
		{"definitions of services listed", pre + "  build: {commands: [slipway build]}\nartifacts:\n  files:\n    - imagedefinitions-web.json", ""},
		{"built in a directory", inBuild("cd apps/shop && slipway build"), "artifact-elsewhere@6"},
		{"built in a directory in two commands", inBuild("cd apps/shop", "slipway build"), "artifact-elsewhere@7"},
		{"directory of an earlier phase", pre + "  pre_build: {commands: [cd apps]}\n  build:\n    commands: [slipway build]\nartifacts: {files: [imagedefinitions.json]}", "artifact-elsewhere@5"},
		{"directory and back", inBuild("cd apps/shop", "make", "cd ../..", "slipway build"), ""},
		{"directory of the source", inBuild("cd apps/shop", `cd "$CODEBUILD_SRC_DIR"`, "slipway build"), ""},
		{"directory below the source", inBuild("cd ${CODEBUILD_SRC_DIR}/apps", "slipway build"), "artifact-elsewhere@7"},
		{"directory of another source", inBuild("cd $CODEBUILD_SRC_DIR_web", "slipway build"), ""},
		{"directory in a subshell", inBuild("(cd apps; slipway build)", "slipway build"), "artifact-elsewhere@6"},
		{"directory of a substitution", inBuild("v=$(cd apps && make version)", "slipway build --hash $v"), ""},
		{"directory in quotes", inBuild(`bash -c "cd apps && slipway build"`, "echo 'a; cd b'", "slipway build"), ""},
		{"directory in a condition", inBuild("if test -d apps; then cd apps; fi", "slipway build"), ""},
		{"directory after a test", inBuild("[ -d apps ] && cd apps", "slipway build"), ""},
		{"directory or an end", inBuild("cd apps || exit 1", "slipway build"), "artifact-elsewhere@7"},
		{"directory of a variable", inBuild("cd $APP", "slipway build"), ""},
		{"directory that was left", inBuild("pushd apps", "popd", "slipway build"), ""},
		{"files are copied", inBuild("cd apps", "slipway build", "cp imagedefinitions.json .."), ""},
		{"definitions directory", inBuild(`cd apps && slipway build --definitions-dir "$CODEBUILD_SRC_DIR"`), ""},
		{"another definitions directory", inBuild("slipway build --definitions-dir=out"), "artifact-elsewhere@6"},
		{"definitions directory in a variable", inBuild("cd apps && SLIPWAY_DEFINITIONS_DIR=.. slipway build"), ""},
		{"definitions directory in env", pre + "  build: {commands: [cd apps && slipway build]}\nenv: {variables: {SLIPWAY_DEFINITIONS_DIR: /tmp}}\nartifacts: {files: [imagedefinitions.json]}", ""},
		{"base directory", pre + "  build: {commands: [cd apps/shop && slipway build]}\nartifacts: {base-directory: apps/shop, files: [imagedefinitions.json]}", ""},
		{"base directory of another", pre + "  build: {commands: [slipway build]}\nartifacts: {base-directory: apps, files: [imagedefinitions.json]}", "artifact-elsewhere@3"},
		{"base directory by a pattern", pre + "  build: {commands: [cd apps/shop && slipway build]}\nartifacts: {base-directory: 'apps/*', files: [imagedefinitions.json]}", ""},
		{"in a directory of the artifact", pre + "  build: {commands: [cd apps/shop && slipway build]}\nartifacts: {files: [./apps/shop/imagedefinitions.json]}", "artifact-nested@3"},
		{"in a directory of all files", pre + "  build: {commands: [cd apps/shop && slipway build]}\nartifacts: {files: ['**/*']}", "artifact-nested@3"},
		{"in no directory of all files", pre + "  build: {commands: [cd apps/shop && slipway build]}\nartifacts: {files: ['**']}", "artifact-nested@3"},
		{"paths are discarded", pre + "  build: {commands: [cd apps/shop && slipway build]}\nartifacts: {discard-paths: yes, files: [apps/*/imagedefinitions.json]}", ""},
		{"directories between others", pre + "  build: {commands: [cd a/b/c/d && slipway build]}\nartifacts: {discard-paths: yes, files: ['a/**/d/**/*.json', '**/x/*.json']}", ""},
		{"other directories between others", pre + "  build: {commands: [cd a/b/c/d && slipway build]}\nartifacts: {discard-paths: yes, files: ['a/**/c/*.json', '**/d/*/*.json', b/**/*.json]}", "artifact-elsewhere@3"},
		{"many directories", pre + "  build: {commands: [cd " + strings.Repeat("a/", 60) + " && slipway build]}\nartifacts: {files: ['" + strings.Repeat("**/a/", 30) + "b/*.json']}", "artifact-elsewhere@3"},
		{"a secondary artifact", pre + "  build: {commands: [cd apps && slipway build]}\nartifacts:\n  files: [appspec.yml]\n  secondary-artifacts:\n    web: {base-directory: apps, files: [imagedefinitions.json]}", ""},
		{"definitions by a wrong name", pre + "  build:\n    commands:\n      - echo x > imagedefinition.json\nartifacts: {files: imagedefinition.json}", "definitions-name@5,6"},
		{"definitions in other letters", pre + "  build: {commands: [./build.sh]}\nartifacts:\n  files: [imageDefinitions.json, image-definitions.yaml, imagedetail.json]", "definitions-name@5"},
		{"definitions by a right name", pre + "  build: {commands: [./build.sh]}\nartifacts: {files: [imageDetail.json, imagedefinitions-web.json, imagedefinitions.json]}", ""},
		{"privileged mode not mentioned", "version: 0.2\nphases: {build: {commands: [slipway build --no-latest]}}", "privileged@2"},

		{"two pushes", inBuild("docker build -t $REPO:1 .", push+":1", push+":2"), "pushed-in-turn@6,7,8"},
		{"a push in a loop", inBuild("for i in a b; do", push+"/$i:1", "done"), "pushed-in-turn@7"},
		{"one push", inBuild("docker build -t $REPO:1 .", push+":1"), ""},
		{"latest first", inBuild(push+":latest", push+":$TAG"), "latest-first@6 pushed-in-turn@6,7"},
		{"no tag first", inBuild(push, push+":$TAG"), "latest-first@6 pushed-in-turn@6,7"},
		{"latest last", inBuild(push+":$TAG", push+":latest"), "pushed-in-turn@6,7"},
		{"only latest", inBuild(push + ":latest"), ""},

		{"push in post_build", pre + "  build: {commands: [make]}\n  post_build:\n    commands:\n      - " + push + ":1\n", "after-failure@6"},
		{"slipway in post_build", pre + "  post_build:\n    commands:\n      - slipway build --rollout\n", "after-failure@5"},
		{"rollout in finally", pre + "  build:\n    commands: [make]\n    finally: [slipway rollout]\n", "after-failure@5"},
		{"dry run in post_build", pre + "  post_build: {commands: [slipway build --dry-run]}\n", ""},
		{"plan in post_build", pre + "  post_build: {commands: [slipway build --plan]}\n", ""},
		{"guarded post_build", pre + "  post_build:\n    commands:\n      - test \"$CODEBUILD_BUILD_SUCCEEDING\" = 1 || exit 1\n      - " + push + ":1\n", ""},
		{"guarded too late", pre + "  post_build:\n    commands:\n      - " + push + ":1\n      - test \"$CODEBUILD_BUILD_SUCCEEDING\" = 1\n", "after-failure@5"},
		{"build aborts", pre + "  build: {on-failure: ABORT, commands: [make]}\n  post_build:\n    commands:\n      - " + push + ":1\n", ""},
		{"phases out of order", pre + "  post_build:\n    commands: ['" + push + ":1']\n  build:\n    commands: ['" + push + ":latest']\n", "after-failure@4 latest-first@6 pushed-in-turn@4,6"},
		{"deployed in post_build", pre + "  post_build: {commands: [aws ecs update-service --service web --force-new-deployment]}\n", "after-failure@3"},

		{"no tag in definitions", inBuild(`echo "[{\"name\":\"web\",\"imageUri\":\"${web_REPOSITORY_URI}\"}]" > imagedefinitions.json`), "definitions-without-tag@6"},
		{"latest in definitions", inBuild(`echo '[{"name":"web","imageUri":"'$R:latest'"}]' > imagedefinitions.json`), "definitions-without-tag@6"},
		{"tag in definitions", inBuild(`echo '[{"name":"web","imageUri":"'"$REPO_URI:$TAG"'"}]' > imagedefinitions.json`), ""},
		{"tag quoted apart", inBuild(`echo '[{"name":"web","imageUri":"'$REPO_URI':'$TAG'"}]' > imagedefinitions.json`), ""},
		{"tag in a variable", inBuild(`IMAGE_REPO=$R:$T`, `echo '[{"name":"web","imageUri":"'${IMAGE_REPO}'"}]' > imagedefinitions.json`), ""},
		{"unknown variable", inBuild(`echo '[{"name":"web","imageUri":"'$IMAGE'"}]' > imagedefinitions.json`), ""},
		{"default in a variable", inBuild(`echo '[{"name":"web","imageUri":"'${REPO:-a/b}'"}]' > imagedefinitions.json`), "definitions-without-tag@6"},
		{"printf", inBuild(`printf '[{"name":"web","imageUri":"%s"}]' $REPO > imagedefinitions.json`), "definitions-without-tag@6"},
		{"printf with tag", inBuild(`printf '[{"name":"web","imageUri":"%s"}]' $REPO:$TAG > imagedefinitions.json`), ""},

		{"get-login", inBuild("$(aws ecr get-login --no-include-email)"), "get-login@6"},
		{"get-login-password", inBuild("aws ecr get-login-password | docker login -u AWS --password-stdin $R"), ""},
		{"password", inBuild("docker login -u AWS -p $TOKEN $R"), "login-password@6"},
		{"password=", inBuild("docker login --password=$TOKEN $R"), "login-password@6"},
		{"hash of nothing", inBuild("TAG=$(echo $CODEBUILD_RESOLVED_SOURCE_VERSION | md5sum | cut -c 1-7)"), "empty-hash@6"},
		{"prefix of nothing", inBuild("TAG=${CODEBUILD_RESOLVED_SOURCE_VERSION:0:7}"), "empty-hash@6"},
		{"hash with a default", inBuild("TAG=${CODEBUILD_RESOLVED_SOURCE_VERSION:-none}"), ""},
		{"hash looked at", inBuild(`test -n "$CODEBUILD_RESOLVED_SOURCE_VERSION" || exit 1`, "TAG=$(echo $CODEBUILD_RESOLVED_SOURCE_VERSION | cut -c 1-7)"), ""},
		{"hash only printed", inBuild("echo $CODEBUILD_RESOLVED_SOURCE_VERSION"), ""},
		{"latest for want of a hash", inBuild("TAG=${COMMIT_HASH:=latest}"), "hash-is-latest@6"},
		{"hyphen", inBuild("docker tag a ${api-web_REPOSITORY_URI}:1"), "hyphen@6"},
		{"no hyphen", inBuild("docker tag a-b ${api_REPOSITORY_URI}-x:1"), ""},
		{"region", inBuild("aws s3 ls --region ap-northeast-2"), "fixed-place@6"},
		{"account", inBuild("R=123456789012.dkr.ecr.$AWS_REGION.amazonaws.com"), "fixed-place@6"},
		{"region in env", "version: 0.2\nenv:\n  variables:\n    R: us-gov-west-1\nphases: {build: {commands: [make]}}", "fixed-place@4"},
		{"no region", inBuild("echo us-east 1234567890123 sha256:123456789012ab"), ""},
		{"secret", "version: 0.2\nenv:\n  variables:\n    NPM_TOKEN: abc\n    DB_PASSWORD: ''\n    API_KEY: $OTHER\n  secrets-manager:\n    TOKEN: a:b\nphases: {build: {commands: [make]}}", "secret@4"},
		{"ignored", inBuild("docker build . || true"), "failure-hidden@6"},
		{"ignored otherwise", inBuild("slipway build || echo failed"), "failure-hidden@6"},
		{"not ignored", inBuild("slipway build || exit 1"), ""},
		{"piped", inBuild("slipway build | tee log"), "failure-hidden@6"},
		{"piped with pipefail", inBuild("set -o pipefail", "slipway build | tee log"), ""},
		{"eval", inBuild(`eval "$(slipway build --output env)"`), "failure-hidden@6"},
		{"export", inBuild(`export $(slipway build --output env)`), "failure-hidden@6"},
		{"assigned", inBuild(`v=$(slipway build --output env) && export $v`), ""},

		{"comments", inBuild("# docker push $REPO", "true # docker"), ""},
		{"continued line", inBuild(`docker login -u AWS \`, `  -p $TOKEN`), "login-password@6"},
		{"alias", pre + "  pre_build: &p {commands: ['docker login -p x']}\n  build: *p\n", "login-password@3"},
		{"merged", pre + "  pre_build: &p {commands: ['docker login -p x']}\n  build:\n    <<: *p\n", "login-password@3"},
		{"a single command", pre + "  build:\n    commands: docker login -p x\n", "login-password@4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Check([]byte(tt.file))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range r.Findings {
				got = append(got, f.Rule+"@"+strings.Trim(strings.ReplaceAll(fmt.Sprint(f.Lines), " ", ","), "[]"))
				if f.Problem == "" || f.Remedy == "" || f.Severity == "" {
					t.Errorf("says too little: %+v", f)
				}
			}
			slices.Sort(got)
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got  %s\nwant %s\n%s", got, tt.want, tt.file)
			}
			if r.Amplify {
				t.Error("is taken for Amplify's")
			}
		})
	}
}

// TestEveryRuleIsTested keeps the table above whole.
func TestEveryRuleIsTested(t *testing.T) {
	source, err := os.ReadFile("check_test.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range slices.Concat(shapeRules, artifactRules, imageRules, shellRules) {
		if seen[r.name] {
			t.Errorf("two rules are called %s", r.name)
		}
		seen[r.name] = true
		if !bytes.Contains(source, []byte(r.name+"@")) {
			t.Errorf("no case finds %s", r.name)
		}
	}
}

func TestCheckSyntax(t *testing.T) {
	for _, tt := range []struct {
		file string
		line int
		text string
	}{
		{"", 1, "is not a buildspec"},
		{"# nothing", 1, "is not a buildspec"},
		{"- a", 1, "is not a buildspec"},
		{"version: 0.2\nphases:\n\tbuild: 1\n", 3, "cannot start any token"},
		{"version: 0.2\nphases: [\n", 2, "did not find"},
		{"version: 0.2\nphases:\n  build:\n    commands: [a]\n    commands: [b]\n", 5, "already defined"},
		{"version: 0.2\nphases: *none\n", 1, "unknown anchor"},
		{"\x00", 1, "control characters"},
		{"\xff\xfev\x00", 1, "is UTF-16, not UTF-8"},
	} {
		_, err := Check([]byte(tt.file))
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%q: got %v, want a SyntaxError", tt.file, err)
			continue
		}
		if syntax.Line != tt.line || !strings.Contains(syntax.Problem, tt.text) || strings.HasPrefix(syntax.Problem, "is not YAML: line") {
			t.Errorf("%q: got line %d, %q, want line %d, …%s…", tt.file, syntax.Line, syntax.Problem, tt.line, tt.text)
		}
	}
}

// FuzzCheck: every finding has lines of the file, in order, and the file's own
// sections lie within it.
func FuzzCheck(f *testing.F) {
	sample, err := os.ReadFile("testdata/amplify.yml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(sample))
	f.Add(inBuild("docker push", `printf '[{"imageUri":"%s"}]' ${ > imagedefinitions.json`))
	f.Add("a: &a [*a]")
	f.Add("version: 0.2\nphases: &p\n  <<: *p\n")
	f.Fuzz(func(t *testing.T, file string) {
		r, err := Check([]byte(file))
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Line < 1 {
				t.Fatalf("got %v, want a SyntaxError with a line", err)
			}
			return
		}
		// YAML knows more ends of a line than \n.
		last := 1
		for _, end := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} {
			last += strings.Count(file, end)
		}
		for _, finding := range r.Findings {
			if len(finding.Lines) == 0 || !slices.IsSorted(finding.Lines) || finding.Lines[0] < 1 || finding.Lines[len(finding.Lines)-1] > last {
				t.Fatalf("%s is at %v of %d lines", finding.Rule, finding.Lines, last)
			}
		}
	})
}
