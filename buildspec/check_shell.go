package buildspec

import (
	"regexp"
	"slices"
	"strings"
)

var (
	getLogin      = regexp.MustCompile(`\baws\s+ecr\s+get-login(?:\s|$|\))`)
	passwordGiven = regexp.MustCompile(`\b(?:docker|podman)\s+login\b.*\s(?:-p|--password)(?:\s|=)`)
	regionName    = regexp.MustCompile(`\b(?:us|eu|ap|sa|ca|me|af|il|mx|cn)(?:-gov|-iso[a-z]?)?-(?:north|south|east|west|central|northeast|northwest|southeast|southwest)-[0-9]\b`)
	accountID     = regexp.MustCompile(`(?:^|[^0-9A-Za-z])[0-9]{12}(?:\.dkr[.-]ecr|[^0-9A-Za-z]|$)`)
	hyphenated    = regexp.MustCompile(`\$\{?[A-Za-z_][A-Za-z0-9_]*-[A-Za-z0-9_-]*_REPOSITORY_URI`)
	ignored       = regexp.MustCompile(`\|\|\s*(?:true|:|echo|exit\s+0)\b|\|\|\s*:\s*$`)
	piped         = regexp.MustCompile(`[^|]\|[^|]`)
	lostInQuotes  = regexp.MustCompile(`\b(?:eval|export|local|readonly|echo)\s+[^;&]*\$\(\s*slipway\b`)
	sourceVersion = regexp.MustCompile(`\$(?:\{CODEBUILD_RESOLVED_SOURCE_VERSION[}:%#]|CODEBUILD_RESOLVED_SOURCE_VERSION\b)`)
	fallback      = regexp.MustCompile(`\$\{CODEBUILD_RESOLVED_SOURCE_VERSION:?[?=-]`)
	latestDefault = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_]*:?[=-]latest\}`)
	testedBefore  = regexp.MustCompile(`(?:test|\[)\s+-[nz]\s+"?\$\{?CODEBUILD_RESOLVED_SOURCE_VERSION`)
	secretName    = regexp.MustCompile(`(?i)(?:password|passwd|secret|token|private_?key|access_?key|api_?key|credential)`)
)

// shellRules check the commands around the images.
var shellRules = []rule{
	{
		name: "get-login", severity: Breaks,
		problem: "aws ecr get-login was taken out of the AWS CLI with version 2",
		remedy:  "leave it out: slipway logs in by itself, and its tokens stay in memory",
		find:    func(s *spec) []int { return s.matching(getLogin) },
	},
	{
		name: "login-password", severity: Danger,
		problem: "the registry's password is on the command line, where the log and other processes see it",
		remedy:  "leave docker login out: slipway logs in by itself; otherwise use --password-stdin",
		find: func(s *spec) []int {
			return s.matching(passwordGiven)
		},
	},
	{
		name: "empty-hash", severity: Danger,
		problem: "CODEBUILD_RESOLVED_SOURCE_VERSION can be empty, as with a plain S3 source: every such build then gets the same tag (68b329d, the md5 of an empty line, or none at all)",
		remedy:  "leave it out: slipway derives a hash that is never empty",
		find:    emptyHash,
	},
	{
		name: "hash-is-latest", severity: Danger,
		problem: "a build without a commit is tagged latest and nothing else",
		remedy:  "leave it out: slipway derives a hash that is never empty",
		find:    func(s *spec) []int { return s.matching(latestDefault) },
	},
	{
		name: "hyphen", severity: Breaks,
		problem: "a shell's variable has no hyphen in its name: the shell reads ${api-web_REPOSITORY_URI} as \"api, else web_REPOSITORY_URI\"",
		remedy:  "leave it out: `slipway build` reads such variables itself",
		find:    func(s *spec) []int { return s.matching(hyphenated) },
	},
	{
		name: "fixed-place", severity: Danger,
		problem: "a region or an account is written into the file: in another environment the job works on the wrong one",
		remedy:  "leave it out: slipway asks AWS where the repositories are; elsewhere use $AWS_REGION",
		find:    fixedPlaces,
	},
	{
		name: "secret", severity: Danger,
		problem: "a secret stands in the file, for everybody who may read the source or the project",
		remedy:  "move it to env.secrets-manager or env.parameter-store; for builds, to secrets in the compose file",
		find: func(s *spec) []int {
			var out []int
			for _, v := range s.variables {
				if secretName.MatchString(v.key) && v.value.Value != "" && !strings.HasPrefix(v.value.Value, "$") {
					out = append(out, v.line)
				}
			}
			return out
		},
	},
	{
		name: "failure-hidden", severity: Danger,
		problem: "the exit code of the build is lost: the phase goes on as if it had succeeded",
		remedy:  "let it be the last of its command: no `|| true`, no pipe without pipefail; variables=$(slipway build --output env) && export $variables keeps it",
		find:    hiddenFailures,
	},
}

func emptyHash(s *spec) []int {
	if len(s.matching(testedBefore)) > 0 {
		return nil
	}
	var out []int
	for _, c := range s.commands {
		cut := strings.Contains(c.text, "$(") || strings.Contains(c.text, "`") || assignment.MatchString(c.text) || matches(c, dockerBuild, dockerTag, dockerPush)
		if cut && sourceVersion.MatchString(c.text) && !fallback.MatchString(c.text) {
			out = append(out, c.line)
		}
	}
	return out
}

func fixedPlaces(s *spec) []int {
	out := s.matching(regionName, accountID)
	for _, v := range s.variables {
		if regionName.MatchString(v.value.Value) || accountID.MatchString(v.value.Value) {
			out = append(out, v.line)
		}
	}
	return out
}

func hiddenFailures(s *spec) []int {
	pipefail := slices.ContainsFunc(s.commands, func(c command) bool { return strings.Contains(c.text, "pipefail") })
	var out []int
	for _, c := range s.commands {
		if !matches(c, dockerBuild, dockerPush, slipwayMoves) {
			continue
		}
		if ignored.MatchString(c.text) || lostInQuotes.MatchString(c.text) || piped.MatchString(c.text) && !pipefail {
			out = append(out, c.line)
		}
	}
	return out
}
