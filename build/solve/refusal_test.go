package solve_test

import (
	"errors"
	"testing"

	"slipway/build/solve"
)

// TestRefusalOf reads the messages of BuildKit v0.33.
func TestRefusalOf(t *testing.T) {
	for text, want := range map[string]solve.Refusal{
		"granting entitlement security.insecure is not allowed by build daemon configuration": {Grant: "security.insecure", ByEngine: true},
		"failed to solve: failed to load LLB: network.host is not allowed":                    {Grant: "network.host"},
		"failed to load LLB: security.insecure is not allowed":                                {Grant: "security.insecure"},
		`no SSH key "" forwarded from the client`:                                             {Grant: solve.GrantSSH, Name: "default"},
		`no SSH key "deploy" forwarded from the client`:                                       {Grant: solve.GrantSSH, Name: "deploy"},
		"failed to solve: secret token: not found":                                            {Grant: solve.GrantSecret, Name: "token"},
	} {
		want.Service = "app"
		got := solve.RefusalOf(&solve.FailedError{Service: "app", Err: errors.New(text)})
		if got == nil || *got != want {
			t.Errorf("RefusalOf(%q) = %+v, want %+v", text, got, want)
		}
	}
	for _, err := range []error{
		nil, errors.New("network.host is not allowed"),
		&solve.FailedError{Service: "app", Err: errors.New(`"/secret": not found`)},
	} {
		if got := solve.RefusalOf(err); got != nil {
			t.Errorf("RefusalOf(%v) = %+v, want nil", err, got)
		}
	}
}
