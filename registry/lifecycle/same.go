package lifecycle

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
)

// sameRules reports whether two sets of rules say the same to ECR.
func sameRules(a, b []ruleText) bool {
	return slices.EqualFunc(inOrder(a), inOrder(b), func(x, y ruleText) bool {
		return bytes.Equal(x.raw, y.raw) || reflect.DeepEqual(meaning(x.raw), meaning(y.raw))
	})
}

// meaning decodes a rule without what makes no difference: white space, the
// order of keys, and fields that are null or repeat a default.
func meaning(raw json.RawMessage) map[string]any {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber() // large numbers must not be taken for equal
	var rule map[string]any
	if dec.Decode(&rule) != nil {
		return nil
	}
	dropDefaults(rule, map[string]any{"description": ""})
	if action, ok := rule["action"].(map[string]any); ok {
		dropDefaults(action, nil)
	}
	if selection, ok := rule["selection"].(map[string]any); ok {
		dropDefaults(selection, map[string]any{"storageClass": classStandard, "countUnit": unitDays})
	}
	return rule
}

func dropDefaults(fields, defaults map[string]any) {
	for key, value := range fields {
		list, isList := value.([]any)
		if value == nil || isList && len(list) == 0 {
			delete(fields, key)
			continue
		}
		if d, ok := defaults[key]; ok && value == d {
			delete(fields, key)
		}
	}
}
