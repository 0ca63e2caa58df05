package buildspec

import (
	"regexp"
	"slices"
	"strings"
)

var (
	dockerBuild  = regexp.MustCompile(`\b(?:docker|podman)\s+(?:image\s+|buildx\s+|builder\s+|compose\s+)*(?:build|bake)\b|\bdocker-compose\s+build\b`)
	dockerTag    = regexp.MustCompile(`\b(?:docker|podman)\s+(?:image\s+)?tag\b`)
	dockerPush   = regexp.MustCompile(`\b(?:docker|podman)\s+(?:image\s+|compose\s+)?push\b|\bdocker-compose\s+push\b|\bbuildx\b.*\s--push\b`)
	slipwayBuild = regexp.MustCompile(`\bslipway\s+build\b`)
	slipwayMoves = regexp.MustCompile(`\bslipway\s+(?:build|rollout|rollback)\b`)
	deploys      = regexp.MustCompile(`\baws\s+ecs\s+(?:update-service|register-task-definition|deploy)\b|\baws\s+deploy\s+create-deployment\b`)
	planOnly     = regexp.MustCompile(`--(?:plan|dry-run)\b`)
)

const useBuild = "replace the commands by `slipway build`, which pushes by digest and tags all images or none; `slipway buildspec` prints the file"

// imageRules are about images that are pushed and tagged.
var imageRules = []rule{
	{
		name: "pushed-in-turn", severity: Danger,
		problem: "images are built, tagged and pushed one after the other: when one fails, those before it are published already and their tags moved",
		remedy:  useBuild,
		find: func(s *spec) []int {
			pushes := s.matching(dockerPush)
			if len(pushes) == 0 || len(pushes) == 1 && !s.loops() {
				return nil
			}
			return s.matching(dockerBuild, dockerTag, dockerPush)
		},
	},
	{
		name: "latest-first", severity: Danger,
		problem: "latest is pushed before other tags of the build: a job that ends in between has moved latest to a part of the build",
		remedy:  useBuild,
		find:    latestFirst,
	},
	{
		name: "after-failure", severity: Danger,
		problem: "this runs after a failed build phase too: images are published or deployed although another part failed",
		remedy:  "let the build phase do it (`slipway build`), or begin post_build with: test \"$CODEBUILD_BUILD_SUCCEEDING\" = 1",
		find:    afterFailure,
	},
	{
		name: "definitions-without-tag", severity: Danger,
		problem: "imageUri names a repository without a tag, or latest: the build's own image is never deployed by name, and nothing changes in the task definition that a rollback could go back to",
		remedy:  "name the build's tag, repository:hash, as the definitions of `slipway build` do",
		find:    untaggedDefinitions,
	},
}

var loop = regexp.MustCompile(`^(?:for|while)\b|;\s*(?:for|while)\b|\bxargs\b`)

func (s *spec) loops() bool { return len(s.matching(loop)) > 0 }

var latestTag = regexp.MustCompile(`:latest\b|:\$\{?LATEST`)

// latestFirst returns the pushes of latest, or of a name without a tag, which
// means latest, that precede the push of another tag.
func latestFirst(s *spec) []int {
	var early, waiting []int
	for _, c := range s.commands {
		if !dockerPush.MatchString(c.text) {
			continue
		}
		if !latestTag.MatchString(c.text) && hasTag(pushed(c.text)) {
			early, waiting = append(early, waiting...), nil
			continue
		}
		waiting = append(waiting, c.line)
	}
	return early
}

// pushed returns the image that a push names, its last word.
func pushed(text string) string {
	text, _, _ = strings.Cut(text, "&&")
	text, _, _ = strings.Cut(text, ";")
	words := strings.Fields(text)
	return words[len(words)-1]
}

// afterFailure returns the commands of post_build, and of a build phase's finally,
// that publish even if the build failed.
func afterFailure(s *spec) []int {
	guarded := map[string]bool{"post_build": slices.Contains(s.aborts, "build")}
	var out []int
	for _, c := range s.commands {
		late := c.phase == "post_build" || c.finally
		if late && strings.Contains(c.text, "CODEBUILD_BUILD_SUCCEEDING") {
			guarded[c.phase] = true
		}
		publishes := matches(c, dockerPush, deploys, redirected) || slipwayMoves.MatchString(c.text) && !planOnly.MatchString(c.text)
		if late && publishes && !guarded[c.phase] {
			out = append(out, c.line)
		}
	}
	return out
}

// untaggedDefinitions are the commands that write such an imageUri.
func untaggedDefinitions(s *spec) []int {
	values := s.assigned()
	var out []int
	for _, c := range s.commands {
		for _, uri := range imageURIs(c.text) {
			if known, ok := values[strings.Trim(uri, "${}")]; ok {
				uri = known
			}
			if names := untagged(uri); names {
				out = append(out, c.line)
			}
		}
	}
	return out
}

// untagged reports whether an image has no tag or latest, and not possibly another
// tag. If the image is a variable, only the variable's name can show that.
func untagged(uri string) bool {
	if latestTag.MatchString(uri) {
		return true
	}
	if hasTag(uri) {
		return false
	}
	name := strings.ToUpper(strings.Trim(uri, "${}"))
	return !strings.HasPrefix(uri, "$") || strings.Contains(uri, "/") || strings.Contains(name, "REPO")
}

var (
	imageURI     = regexp.MustCompile(`imageUri[\\"']*\s*:\s*`)
	substitution = regexp.MustCompile(`\$\{[^}]*\}|\$\([^)]*\)`)
)

// imageURIs are the values of imageUri in a command that writes JSON; for a
// printf format, the words behind it.
func imageURIs(text string) []string {
	var out []string
	for _, at := range imageURI.FindAllStringIndex(text, -1) {
		// A brace within ${…} ends nothing.
		tail := substitution.ReplaceAllStringFunc(text[at[1]:], func(s string) string { return strings.NewReplacer("{", "\x00", "}", "\x01").Replace(s) })
		if end := strings.IndexAny(tail, "},"); end >= 0 {
			tail = tail[:end]
		}
		uri := strings.NewReplacer("\x00", "{", "\x01", "}", `"`, "", `'`, "", `\`, "").Replace(tail)
		if uri = strings.TrimSpace(uri); uri != "%s" {
			out = append(out, uri)
			continue
		}
		out = append(out, printed(text)...)
	}
	return out
}

// printed returns the words after a printf format that can be images.
func printed(text string) []string {
	end := strings.LastIndex(text, "]")
	if end < 0 {
		return nil
	}
	args, _, _ := strings.Cut(text[end+1:], ">")
	var images []string
	for _, word := range strings.Fields(args) {
		word = strings.Trim(word, `"'\`)
		if strings.ContainsAny(word, "/$:") {
			images = append(images, word)
		}
	}
	if slices.ContainsFunc(images, func(w string) bool { return hasTag(w) && !latestTag.MatchString(w) }) {
		return nil // it is not known which word belongs to which %s
	}
	return images
}

// hasTag reports whether a reference has a tag or a digest.
func hasTag(image string) bool {
	image = substitution.ReplaceAllString(image, "v")
	return strings.ContainsAny(image[strings.LastIndexByte(image, '/')+1:], ":@")
}

var assignment = regexp.MustCompile(`(?:^|[;&\s])([A-Za-z_][A-Za-z0-9_]*)=("[^"]*"|'[^']*'|[^\s;&]+)`)

// assigned returns the values that commands assign to variables.
func (s *spec) assigned() map[string]string {
	out := map[string]string{}
	for _, c := range s.commands {
		for _, m := range assignment.FindAllStringSubmatch(c.text, -1) {
			out[m[1]] = strings.Trim(m[2], `"'`)
		}
	}
	return out
}

var md5 = regexp.MustCompile(`\bmd5(?:sum)?\b`)

// fromAmplify recognizes the generated file by the parts that all its versions
// have: the variables named after containers, the pushes, and latest or the md5.
func (s *spec) fromAmplify() bool {
	uses := func(text string) bool {
		return slices.ContainsFunc(s.commands, func(c command) bool { return strings.Contains(c.text, text) })
	}
	return uses("_REPOSITORY_URI") && len(s.matching(dockerPush)) > 0 && (len(s.matching(md5)) > 0 || uses("_REPOSITORY_URI:latest") || uses("_REPOSITORY_URI}:latest"))
}
