package diagnose

import (
	"regexp"
	"slices"
	"sync"
)

// rule reads a cause from a sign. The texts are those of "Amazon ECS stopped
// tasks error messages", "CannotPullContainer task errors" and "service event
// messages" in the ECS developer guide, of the agents, and of Docker and
// containerd behind them; ECS has codes only for the few that are looked at in
// code.
type rule struct {
	// words must all be found in the text, each a pattern.
	words []*regexp.Regexp
	// logs are looked for in the container's log; one match will do instead of
	// words.
	logs *regexp.Regexp
	// code decides by code; nil where words do.
	code func(sign) bool
	// cause is one sentence: what is likely wrong and what to look at.
	cause func(sign) string
	// next is the command of the AWS CLI to type; nil or empty for none.
	next func(sign) string
	// missingImage is Diagnosis.MissingImage.
	missingImage bool
}

func (r rule) matches(s sign) bool {
	if r.logs != nil && s.log != "" && r.logs.MatchString(s.log) {
		return true
	}
	if r.code != nil {
		return r.code(s)
	}
	for _, w := range r.words {
		if !w.MatchString(s.text) {
			return false
		}
	}
	return len(r.words) > 0
}

// ruleFor returns the first rule that matches the sign, or nil.
func ruleFor(s sign) *rule {
	all := rules()
	for i := range all {
		if all[i].matches(s) {
			return &all[i]
		}
	}
	return nil
}

func words(patterns ...string) []*regexp.Regexp {
	var all []*regexp.Regexp
	for _, p := range patterns {
		all = append(all, regexp.MustCompile("(?i)"+p))
	}
	return all
}

// rules are tried in order, the narrow ones before the wide ones. Their expressions are
// compiled when a deployment has failed.
var rules = sync.OnceValue(func() []rule {
	return slices.Concat(alarmRules(), pullRules(), startRules(), runRules(), placeRules(), stopRules())
})
