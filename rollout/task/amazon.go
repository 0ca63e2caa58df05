package task

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// warnAmazon warns of the keys of compose's former integration with ECS, at any depth
// below a value of the compose file. where is the name of the value, empty for the whole
// file.
func (d *deriver) warnAmazon(where string, v reflect.Value) {
	below := func(key string) string { return strings.TrimPrefix(where+"."+key, ".") }
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			d.warnAmazon(where, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			d.warnAmazon(fmt.Sprintf("%s[%d]", where, i), v.Index(i))
		}
	case reflect.Map:
		for _, key := range slices.SortedFunc(slices.Values(v.MapKeys()), func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) }) {
			d.warnAmazon(below(key.String()), v.MapIndex(key))
		}
	case reflect.Struct:
		d.warnAmazonIn(v, below)
	}
}

// warnAmazonIn warns of the keys in a struct of compose-go, which has those that it does
// not know in a field of the type types.Extensions.
func (d *deriver) warnAmazonIn(v reflect.Value, below func(string) string) {
	var fields []int
	for i := range v.NumField() {
		if !v.Type().Field(i).IsExported() {
			continue
		}
		given, ok := v.Field(i).Interface().(types.Extensions)
		if !ok {
			fields = append(fields, i)
		}
		for _, key := range slices.Sorted(maps.Keys(given)) {
			if strings.HasPrefix(key, "x-aws-") {
				d.warn(below(key), "has no effect: write the setting under x-slipway, or into the stack")
			}
		}
	}
	for _, i := range fields {
		if name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ","); name != "" && name != "-" {
			d.warnAmazon(below(name), v.Field(i))
		}
	}
}
