package deployconfig_test

import (
	"encoding/json"
	"testing"

	"slipway/internal/sandbox/ecs/deployconfig"
)

func TestThreshold(t *testing.T) {
	for _, test := range []struct {
		desired int
		config  string
		want    int
	}{
		{1, `{}`, 3}, {6, `{}`, 3}, {7, `{}`, 4}, {25, `{}`, 13}, {1000, `{}`, 200},
		{20, `{"thresholdConfiguration":{"type":"COUNT","value":2}}`, 2},
		{20, `{"thresholdConfiguration":{"type":"UNBOUNDED_PERCENT","value":5}}`, 1},
		{20, `{"thresholdConfiguration":{"type":"BOUNDED_PERCENT","value":5}}`, 3},
		{20, `{"thresholdConfiguration":{"type":"BOUNDED_PERCENT","value":100}}`, 20},
	} {
		d, err := deployconfig.Parse(json.RawMessage(`{"deploymentCircuitBreaker":`+test.config+`}`), false)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Threshold(test.desired); got != test.want {
			t.Errorf("threshold of %d with %s is %d, want %d", test.desired, test.config, got, test.want)
		}
	}
}
