package artifact

//lint:file-ignore SA1019 buckets with rules in the deprecated form must be served too

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func other(id, prefix string) types.LifecycleRule {
	return types.LifecycleRule{ID: aws.String(id), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String(prefix)}}
}

// ours is the rule for build/ as S3 may answer it.
func ours(change func(*types.LifecycleRule)) types.LifecycleRule {
	merged, _ := MergeLifecycle(nil, "build/", 7)
	change(&merged[0])
	return merged[0]
}

func TestMergeLifecycle(t *testing.T) {
	a, b := other("a", "a"), other("b", "build/")
	same := ours(func(*types.LifecycleRule) {})
	for _, tt := range []struct {
		name     string
		existing []types.LifecycleRule
		changed  bool
		ids      string
	}{
		{"none", nil, true, "slipway-retention-build/"},
		{"others, one with our prefix", []types.LifecycleRule{a, b}, true, "a b slipway-retention-build/"},
		{"there", []types.LifecycleRule{a, same, b}, false, "a slipway-retention-build/ b"},
		{"there, with zero values", []types.LifecycleRule{ours(func(r *types.LifecycleRule) {
			r.Expiration.ExpiredObjectDeleteMarker = aws.Bool(false)
		})}, false, "slipway-retention-build/"},
		{"there, in the old form", []types.LifecycleRule{ours(func(r *types.LifecycleRule) {
			r.Prefix, r.Filter = r.Filter.Prefix, nil
		})}, false, "slipway-retention-build/"},
		{"switched off", []types.LifecycleRule{ours(func(r *types.LifecycleRule) {
			r.Status = types.ExpirationStatusDisabled
		}), a}, true, "slipway-retention-build/ a"},
		{"other days", []types.LifecycleRule{a, ours(func(r *types.LifecycleRule) {
			r.NoncurrentVersionExpiration.NoncurrentDays = aws.Int32(8)
		}), b}, true, "a slipway-retention-build/ b"},
		{"other prefix", []types.LifecycleRule{ours(func(r *types.LifecycleRule) {
			r.Filter.Prefix = nil
		})}, true, "slipway-retention-build/"},
		{"narrowed", []types.LifecycleRule{ours(func(r *types.LifecycleRule) {
			r.Filter.ObjectSizeLessThan = aws.Int64(5)
		})}, true, "slipway-retention-build/"},
		{"ends on a date", []types.LifecycleRule{ours(func(r *types.LifecycleRule) {
			r.Expiration.Date = aws.Time(time.Unix(0, 0))
		})}, true, "slipway-retention-build/"},
		{"twice", []types.LifecycleRule{a, same, b, same}, true, "a slipway-retention-build/ b"},
		{"a rule without an id", []types.LifecycleRule{{}}, true, " slipway-retention-build/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			merged, changed := MergeLifecycle(tt.existing, "build/", 7)
			if changed != tt.changed || ids(merged) != tt.ids {
				t.Errorf("got %v, %q, want %v, %q", changed, ids(merged), tt.changed, tt.ids)
			}
			at := slices.IndexFunc(merged, func(r types.LifecycleRule) bool { return aws.ToString(r.ID) == "slipway-retention-build/" })
			if changed && !reflect.DeepEqual(merged[at], same) {
				t.Errorf("our rule is not as it should be")
			}
		})
	}
}

func ids(rules []types.LifecycleRule) string {
	var all []string
	for _, r := range rules {
		all = append(all, aws.ToString(r.ID))
	}
	return strings.Join(all, " ")
}

// TestMergeLifecycleForm: S3 refuses rules in both forms side by side.
func TestMergeLifecycleForm(t *testing.T) {
	merged, _ := MergeLifecycle([]types.LifecycleRule{{ID: aws.String("old"), Prefix: aws.String("")}}, "build/", 7)
	if r := merged[1]; r.Filter != nil || aws.ToString(r.Prefix) != "build/" {
		t.Errorf("got filter %v, prefix %v", r.Filter, r.Prefix)
	}
}

func TestRetentionRuleID(t *testing.T) {
	long := strings.Repeat("p", maxRuleID)
	seen := map[string]bool{}
	for _, prefix := range []string{"", "p", "p/", long[:maxRuleID-18], long[:maxRuleID-17], long, long + "p"} {
		id := RetentionRuleID(prefix)
		if len(id) > maxRuleID || seen[id] || !strings.HasPrefix(id, "slipway-retention") {
			t.Errorf("%d characters of prefix: got %q", len(prefix), id)
		}
		seen[id] = true
	}
}

// FuzzMergeLifecycle: others stay, ours is there once, and a second merge
// changes nothing.
func FuzzMergeLifecycle(f *testing.F) {
	f.Add("build/", int32(7), "a", "slipway-retention-build/", "", true)
	f.Add("", int32(1), "slipway-retention", "slipway-retention", "x", false)
	f.Add(strings.Repeat("x", 300), int32(365), "", "b", "x", false)
	f.Fuzz(func(t *testing.T, prefix string, days int32, id1, id2, otherPrefix string, old bool) {
		one, two := other(id1, otherPrefix), other(id2, prefix)
		if old {
			one.Prefix, one.Filter = one.Filter.Prefix, nil
			two.Prefix, two.Filter = two.Filter.Prefix, nil
		}
		existing := []types.LifecycleRule{one, two}
		before := fmt.Sprint(ids(existing))
		merged, changed := MergeLifecycle(existing, prefix, days)
		if !changed {
			t.Fatal("a rule that expires was there already")
		}
		if ids(existing) != before {
			t.Fatal("the existing rules were modified")
		}
		isOurs := func(r types.LifecycleRule) bool { return aws.ToString(r.ID) == RetentionRuleID(prefix) }
		kept := slices.DeleteFunc(slices.Clone(merged), isOurs)
		if want := slices.DeleteFunc(slices.Clone(existing), isOurs); !reflect.DeepEqual(kept, want) || len(merged) != len(want)+1 {
			t.Fatalf("got %q from %q, want the others' rules and Slipway's", ids(merged), ids(existing))
		}
		again, changed := MergeLifecycle(merged, prefix, days)
		if changed || !reflect.DeepEqual(again, merged) {
			t.Fatalf("merged again: got %v, %q", changed, ids(again))
		}
	})
}
