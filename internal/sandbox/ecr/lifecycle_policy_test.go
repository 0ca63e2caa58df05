package ecr

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// rule returns a rule's JSON; selection is the text between its braces.
func rule(priority int, selection string) string {
	return fmt.Sprintf(`{"rulePriority":%d,"selection":{%s},"action":{"type":"expire"}}`, priority, selection)
}

func policy(rules ...string) string {
	text := `{"rules":[` + strings.Join(rules, ",") + `]}`
	return text + strings.Repeat(" ", max(0, minPolicyText-len(text)))
}

const (
	week      = `"countType":"sinceImagePushed","countUnit":"days","countNumber":7`
	anyWeek   = `"tagStatus":"any",` + week
	keepOne   = `"countType":"imageCountMoreThan","countNumber":1`
	untagged  = `"tagStatus":"untagged",` + week
	keepTwo   = `"countType":"imageCountMoreThan","countNumber":2`
	latestOne = `"tagStatus":"tagged","tagPatternList":["latest"],` + keepOne
)

func TestPolicyIsRefused(t *testing.T) {
	good := policy(rule(1, latestOne), rule(2, untagged), rule(100, anyWeek))
	if _, err := parseLifecyclePolicy(good); err != nil {
		t.Fatalf("good policy: %v", err)
	}
	many := make([]string, maxPolicyRules+1)
	for i := range many {
		many[i] = rule(i+1, latestOne)
	}
	archive := func(selection, action string) string {
		return `{"rulePriority":1,"selection":{` + selection + `},"action":{` + action + `}}`
	}
	for _, test := range []struct{ name, text, want string }{
		{"short", `{"rules":[]}`, "between 100 and 30720"},
		{"long", good + strings.Repeat(" ", maxPolicyText), "between 100 and 30720"},
		{"no JSON", strings.Repeat("x", 200), "invalid character"},
		{"more text", good + "{}", "text after"},
		{"unknown field", policy(rule(1, anyWeek+`,"tags":[]`)), "unknown field"},
		{"no rules", policy(), "1 to 50 rules"},
		{"too many rules", policy(many...), "1 to 50 rules"},
		{"priority zero", policy(rule(0, anyWeek)), "rulePriority must be"},
		{"priority twice", policy(rule(3, latestOne), rule(3, untagged)), "used twice"},
		{"any not last", policy(rule(1, anyWeek), rule(2, latestOne)), "highest rulePriority"},
		{"any twice", policy(rule(1, anyWeek), rule(2, anyWeek)), "highest rulePriority"},
		{"no tag status", policy(rule(1, week)), "tagStatus must be"},
		{"tagged without list", policy(rule(1, `"tagStatus":"tagged",`+week)), "either tagPatternList or tagPrefixList"},
		{"tagged with empty list", policy(rule(1, `"tagStatus":"tagged","tagPrefixList":[],`+week)), "either tagPatternList or tagPrefixList"},
		{"tagged with both lists", policy(rule(1, `"tagStatus":"tagged","tagPrefixList":["a"],"tagPatternList":["a"],`+week)), "either tagPatternList or tagPrefixList"},
		{"untagged with list", policy(rule(1, `"tagPrefixList":["a"],`+untagged)), "goes with neither"},
		{"any with list", policy(rule(1, `"tagPatternList":["a"],`+anyWeek)), "goes with neither"},
		{"empty prefix", policy(rule(1, `"tagStatus":"tagged","tagPrefixList":[""],`+week)), "is empty"},
		{"five wildcards", policy(rule(1, `"tagStatus":"tagged","tagPatternList":["*1*2*3*4*"],`+week)), "more than 4 wildcards"},
		{"count zero", policy(rule(1, `"tagStatus":"any","countType":"imageCountMoreThan","countNumber":0`)), "countNumber must be"},
		{"no count type", policy(rule(1, `"tagStatus":"any","countNumber":1`)), "countType must be"},
		{"no unit", policy(rule(1, `"tagStatus":"any","countType":"sinceImagePushed","countNumber":7`)), "countUnit must be days"},
		{"unit with a count", policy(rule(1, `"tagStatus":"any","countUnit":"days",`+keepOne)), "countUnit does not go"},
		{"unknown action", policy(archive(anyWeek, `"type":"keep"`)), "action type must be"},
		{"transition to nowhere", policy(archive(anyWeek, `"type":"transition"`)), "from storageClass standard"},
		{"transition of archived", policy(archive(anyWeek+`,"storageClass":"archive"`, `"type":"transition","targetStorageClass":"archive"`)), "from storageClass standard"},
		{"expire with target", policy(archive(anyWeek, `"type":"expire","targetStorageClass":"archive"`)), "does not go with action expire"},
		{"unknown class", policy(archive(anyWeek+`,"storageClass":"cold"`, `"type":"expire"`)), "storageClass must be"},
		{"since transition of standard", policy(rule(1, `"tagStatus":"any","countType":"sinceImageTransitioned","countUnit":"days","countNumber":7`)), "needs storageClass archive"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := parseLifecyclePolicy(test.text)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
}

// noon is the time of every evaluation here.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// aged is an image pushed some days before noon.
func aged(digest string, days float64, tags ...string) lifecycleImage {
	pushed := noon.Add(-time.Duration(days * 24 * float64(time.Hour)))
	return lifecycleImage{digest: digest, tags: tags, pushedAt: pushed, usedAt: pushed}
}

func held(i lifecycleImage) lifecycleImage {
	i.referenced = true
	return i
}

func archivedFor(i lifecycleImage, days int) lifecycleImage {
	i.archived, i.archivedAt = true, noon.AddDate(0, 0, -days)
	return i
}

func usedAgo(i lifecycleImage, days int) lifecycleImage {
	i.usedAt = noon.AddDate(0, 0, -days)
	return i
}

func TestEvaluate(t *testing.T) {
	tagged := func(list, count string) string { return `"tagStatus":"tagged",` + list + `,` + count }
	transition := `{"rulePriority":2,"selection":{"tagStatus":"any","countType":"sinceImagePulled","countUnit":"days","countNumber":30},"action":{"type":"transition","targetStorageClass":"archive"}}`
	gone := `"tagStatus":"any","storageClass":"archive","countType":"sinceImageTransitioned","countUnit":"days","countNumber":90`
	for _, test := range []struct {
		name   string
		policy string
		images []lifecycleImage
		want   string // priority:digest, blank between
	}{
		{"nothing there", policy(rule(1, anyWeek)), nil, ""},
		{"age in days from the push", policy(rule(1, anyWeek)),
			[]lifecycleImage{aged("a", 6.9), aged("b", 7.1), aged("c", 7)}, "1:b"},
		{"count keeps the youngest", policy(rule(1, `"tagStatus":"any",`+keepTwo)),
			[]lifecycleImage{aged("a", 1), aged("b", 3), aged("c", 2), aged("d", 4)}, "1:b 1:d"},
		{"count with equal ages keeps the lowest digest", policy(rule(1, `"tagStatus":"any",`+keepOne)),
			[]lifecycleImage{aged("b", 1), aged("a", 1)}, "1:b"},
		{"count not reached", policy(rule(1, `"tagStatus":"any",`+keepTwo)),
			[]lifecycleImage{aged("a", 1), aged("b", 300)}, ""},
		{"untagged only", policy(rule(1, untagged)),
			[]lifecycleImage{aged("a", 9), aged("b", 9, "x")}, "1:a"},
		{"exact pattern", policy(rule(1, tagged(`"tagPatternList":["latest"]`, week))),
			[]lifecycleImage{aged("a", 9, "latest"), aged("b", 9, "latest2"), aged("c", 9)}, "1:a"},
		{"wildcards", policy(rule(1, tagged(`"tagPatternList":["v*-rc*"]`, week))),
			[]lifecycleImage{aged("a", 9, "v1-rc"), aged("b", 9, "v2-rc3"), aged("c", 9, "v2"), aged("d", 9, "xv1-rc")}, "1:a 1:b"},
		{"prefix", policy(rule(1, tagged(`"tagPrefixList":["dev"]`, week))),
			[]lifecycleImage{aged("a", 9, "dev-1"), aged("b", 9, "x", "dev"), aged("c", 9, "xdev")}, "1:a 1:b"},
		{"all prefixes must match", policy(rule(1, tagged(`"tagPrefixList":["alpha","beta"]`, week))),
			[]lifecycleImage{aged("a", 9, "alpha1"), aged("b", 9, "alpha1", "beta1"), aged("c", 9, "beta")}, "1:b"},
		{"all patterns must match", policy(rule(1, tagged(`"tagPatternList":["alpha*","*1"]`, week))),
			[]lifecycleImage{aged("a", 9, "alpha1"), aged("b", 9, "alpha"), aged("c", 9, "alpha", "x1")}, "1:a 1:c"},
		{"what an earlier rule matches is safe from a later one", policy(rule(1, latestOne), rule(100, anyWeek)),
			[]lifecycleImage{aged("a", 99, "latest", "abc"), aged("b", 99, "abd"), aged("c", 99)}, "100:b 100:c"},
		{"protection by one rule per tag",
			policy(rule(1, latestOne), rule(2, tagged(`"tagPatternList":["deployed"]`, keepOne)), rule(3, tagged(`"tagPatternList":["buildcache"]`, keepOne)), rule(100, anyWeek)),
			[]lifecycleImage{aged("a", 30, "deployed", "h1"), aged("b", 20, "latest", "h2"), aged("c", 20, "buildcache"), aged("d", 20, "h3"), aged("e", 2)}, "100:d"},
		{"protection in one rule protects nothing",
			policy(rule(1, tagged(`"tagPatternList":["latest","deployed"]`, keepOne)), rule(100, anyWeek)),
			[]lifecycleImage{aged("a", 30, "deployed"), aged("b", 20, "latest")}, "100:a 100:b"},
		{"an earlier rule takes first", policy(rule(1, tagged(`"tagPrefixList":["a"]`, week)), rule(2, tagged(`"tagPrefixList":["b"]`, week))),
			[]lifecycleImage{aged("x", 9, "a1", "b1"), aged("y", 9, "b1")}, "1:x 2:y"},
		{"a later rule counts what an earlier one took",
			policy(rule(1, tagged(`"tagPrefixList":["old"]`, week)), rule(2, `"tagStatus":"any",`+keepTwo)),
			[]lifecycleImage{aged("a", 1), aged("b", 8, "old"), aged("c", 9)}, "1:b 2:c"},
		{"the order in the text does not matter", policy(rule(100, anyWeek), rule(1, latestOne)),
			[]lifecycleImage{aged("a", 99, "latest")}, ""},
		{"an index's image stays", policy(rule(1, anyWeek)),
			[]lifecycleImage{held(aged("child", 9)), aged("index", 9)}, "1:index"},
		{"an index's image counts", policy(rule(1, `"tagStatus":"any",`+keepOne)),
			[]lifecycleImage{held(aged("child", 1)), aged("other", 2)}, "1:other"},
		{"archived images are for rules about the archive", policy(rule(1, anyWeek)),
			[]lifecycleImage{archivedFor(aged("a", 99), 10), aged("b", 99)}, "1:b"},
		{"archive after disuse, expire after archive", policy(transition, rule(3, gone)),
			[]lifecycleImage{usedAgo(aged("a", 99), 31), usedAgo(aged("b", 99), 3), archivedFor(aged("c", 200), 91), archivedFor(aged("d", 200), 89)}, "2:a 3:c"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := parseLifecyclePolicy(test.policy)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the order of the images does not matter either
				var got []string
				for _, v := range p.evaluate(test.images, noon) {
					got = append(got, fmt.Sprintf("%d:%s", v.priority, v.digest))
				}
				if s := strings.Join(got, " "); s != test.want {
					t.Errorf("got %q, want %q", s, test.want)
				}
				slices.Reverse(test.images)
			}
		})
	}
}

func FuzzParseLifecyclePolicy(f *testing.F) {
	f.Add(policy(rule(1, latestOne), rule(2, untagged), rule(100, anyWeek)))
	f.Add(policy(rule(1, `"tagStatus":"tagged","tagPrefixList":["a"],`+keepOne)))
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseLifecyclePolicy(text)
		if err != nil {
			return
		}
		if !json.Valid([]byte(text)) || len(p.Rules) == 0 {
			t.Errorf("accepted %q", text)
		}
		images := []lifecycleImage{aged("a", 9, "latest"), aged("b", 400), held(aged("c", 400)), archivedFor(aged("d", 400), 300)}
		seen := map[string]bool{}
		for _, v := range p.evaluate(images, noon) {
			if seen[v.digest] || v.digest == "c" {
				t.Errorf("%q takes %q", text, v.digest)
			}
			seen[v.digest] = true
		}
	})
}
