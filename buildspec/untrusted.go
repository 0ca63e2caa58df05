package buildspec

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// proposal matches how CodeBuild and git name a pull request, or a merge
// request, with its number: pr/N in CODEBUILD_WEBHOOK_TRIGGER and
// CODEBUILD_SOURCE_VERSION, and references such as refs/pull/N/head. Any other
// value that begins with pr/ counts too, without a number.
var proposal = regexp.MustCompile(`^(?:(?:pr|mr|refs/(?:pull|pull-requests|merge-requests))/([0-9]+)(?:/|$)|pr/)`)

// pullRequestEvent begins the values of CODEBUILD_WEBHOOK_EVENT for pull
// requests, of every provider ("GitHub webhook events" and the corresponding pages
// in the CodeBuild user guide).
const pullRequestEvent = "PULL_REQUEST_"

// Untrusted returns the reason why the build is one of a pull request, as a phrase
// that names the variable, and the number of the pull request, 0 if it is not
// known. The phrase is empty for any other build.
//
// A merged pull request counts too: its event is PULL_REQUEST_MERGED and its
// source is still the pull request's. The variables are described under
// "Environment variables in build environments" in the CodeBuild user guide.
func (e Env) Untrusted() (why string, number int) {
	for _, v := range []struct{ name, value string }{
		{"CODEBUILD_WEBHOOK_TRIGGER", e.WebhookTrigger},
		{"CODEBUILD_SOURCE_VERSION", e.SourceVersion},
	} {
		m := proposal.FindStringSubmatch(v.value)
		if m == nil {
			continue
		}
		n, err := strconv.ParseInt(m[1], 10, 32)
		if err != nil {
			n = 0 // none, or too large: the name says untrusted then
		}
		if why == "" || number == 0 && n > 0 {
			why, number = fmt.Sprintf("%s is %s", v.name, v.value), int(n)
		}
	}
	if why == "" && strings.HasPrefix(e.WebhookEvent, pullRequestEvent) {
		why = "CODEBUILD_WEBHOOK_EVENT is " + e.WebhookEvent
	}
	return why, number
}
