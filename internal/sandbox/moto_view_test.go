package sandbox_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/smithy-go"
)

// view is an answer as field and value, made comparable.
type view map[string]string

// seen makes a call and looks at the answer.
func seen(t *testing.T, side imitation, s step) view {
	t.Helper()
	answer, err := s.call(t.Context(), side)
	if err != nil {
		var api smithy.APIError
		if errors.As(err, &api) {
			return view{"error": api.ErrorCode()}
		}
		return view{"error": "no answer of AWS: " + err.Error()}
	}
	raw, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	out := view{}
	out.add("", tree, side)
	return out
}

// add flattens a JSON value. A value that is null or empty counts as left out: the
// SDK makes no difference.
func (v view) add(at string, value any, side imitation) {
	switch value := value.(type) {
	case nil:
	case map[string]any:
		for key, field := range value {
			if key == "ResultMetadata" || key == "noSmithyDocumentSerde" {
				continue
			}
			v.add(strings.TrimPrefix(at+"."+key, "."), field, side)
		}
	case []any:
		for i, field := range value {
			v.add(fmt.Sprintf("%s[%d]", at, i), field, side)
		}
	case string:
		if value != "" {
			v[at] = normal(value, side)
		}
	default:
		v[at] = fmt.Sprint(value)
	}
}

var normalizers = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*$`), "<time>"},
	{regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), "<id>"},
	{regexp.MustCompile(`ecs-svc/[0-9]+`), "ecs-svc/<id>"},
	{regexp.MustCompile(`(task/[^/]+)/[0-9a-f]{32}`), "$1/<id>"},
}

// normal takes out of a value what no two runs have in common.
func normal(value string, side imitation) string {
	value = strings.ReplaceAll(value, side.url, "<endpoint>")
	value = strings.ReplaceAll(value, side.registry, "<registry>")
	for _, n := range normalizers {
		value = n.pattern.ReplaceAllString(value, n.with)
	}
	return value
}

// difference is one that is ours on purpose.
type difference struct {
	// step and field are patterns of package path; in a field [] stands for
	// any index.
	step, field string
	reason      string
}

// excuses keeps count of which differences were met.
type excuses struct {
	list []difference
	used []bool
}

func newExcuses(list []difference) *excuses { return &excuses{list, make([]bool, len(list))} }

var index = regexp.MustCompile(`\[\d+\]`)

func (e *excuses) excuse(step, field string) bool {
	field = index.ReplaceAllString(field, "<>")
	for i, d := range e.list {
		stepFits, err := path.Match(d.step, step)
		if err != nil {
			panic(err) // a pattern in this file
		}
		fieldFits, err := path.Match(strings.ReplaceAll(d.field, "[]", "<>"), field)
		if err != nil {
			panic(err)
		}
		if stepFits && fieldFits {
			e.used[i] = true
			return true
		}
	}
	return false
}

func (e *excuses) compare(t *testing.T, step string, ours, theirs view) {
	t.Helper()
	fields := maps.Clone(ours)
	maps.Copy(fields, theirs)
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		a, b := ours[field], theirs[field]
		if a != b && !e.excuse(step, field) {
			t.Errorf("%s: %s: the sandbox says %q, moto says %q", step, field, a, b)
		}
	}
}

func (e *excuses) reportUnused(t *testing.T) {
	t.Helper()
	for i, d := range e.list {
		if !e.used[i] {
			t.Errorf("the difference %q of %q was not met: take it off the list", d.field, d.step)
		}
	}
}

// A list of excuses must not excuse what it does not name.
func TestExcuses(t *testing.T) {
	e := newExcuses([]difference{{"describe *", "Services[].Status", "x"}, {"never", "*", "x"}})
	for _, test := range []struct {
		step, field string
		want        bool
	}{
		{"describe service", "Services[3].Status", true},
		{"describe service", "Services[3].StatusReason", false},
		{"describe service", "Services[3].Tasks[0].Status", false},
		{"list services", "Services[3].Status", false},
	} {
		if got := e.excuse(test.step, test.field); got != test.want {
			t.Errorf("%s, %s: excused %v, want %v", test.step, test.field, got, test.want)
		}
	}
	if !e.used[0] || e.used[1] {
		t.Errorf("used %v, want the first only", e.used)
	}
}
