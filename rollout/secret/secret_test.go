package secret_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/internal/fault"
	"slipway/rollout/secret"
)

// external returns a project whose only secret is an external one of a name.
func external(name string) *types.Project {
	web := types.ServiceConfig{}
	web.Name, web.Secrets = "web", []types.ServiceSecretConfig{{Source: "key"}}
	return &types.Project{
		Name:     "shop",
		Services: types.Services{"web": web},
		Secrets:  types.Secrets{"key": {Name: name, External: true}},
	}
}

// wantRefused fails the test unless an error is bad input with a remedy.
func wantRefused(t *testing.T, err error, problem string) {
	t.Helper()
	var bad *fault.InputError
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), problem) || bad.Remedy == "" {
		t.Errorf("error %v, want bad input: %s", err, problem)
	}
}

func TestExternal(t *testing.T) {
	const arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:partner/token-AbCdEf"
	const parameter = "arn:aws:ssm:eu-west-1:123456789012:parameter/shop/flag"
	for name, want := range map[string]secret.Secret{
		arn:                      {Store: secret.Manager, ID: arn, Region: "eu-west-1"},
		arn + ":key::":           {Store: secret.Manager, ID: arn, Region: "eu-west-1"},
		arn + "::AWSPENDING:":    {Store: secret.Manager, ID: arn, Region: "eu-west-1", Stage: "AWSPENDING"},
		arn + ":key::0123456789": {Store: secret.Manager, ID: arn, Region: "eu-west-1", Version: "0123456789"},
		parameter:                {Store: secret.Parameter, ID: parameter, Region: "eu-west-1"},
		"/shop/flag":             {Store: secret.Parameter, ID: "/shop/flag"},
		"flag":                   {Store: secret.Parameter, ID: "flag"},
	} {
		got, err := secret.Of(external(name))
		want.Key, want.Services, want.External = "key", []string{"web"}, true
		if err != nil || fmt.Sprint(got) != fmt.Sprint([]secret.Secret{want}) {
			t.Errorf("Of %s: %+v, %v, want %+v", name, got, err, want)
		}
	}
	for _, name := range []string{
		"", "a b", "arn:aws:s3:::bucket", arn + ":key", arn + ":a:b:c:d", "arn:aws:secretsmanager:*:123456789012:secret:x",
		"arn:aws:secretsmanager:eu-west-1:*:secret:x", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:*", parameter + "*", "/shop/${x}",
	} {
		_, err := secret.Of(external(name))
		wantRefused(t, err, "is neither the ARN of a secret nor a parameter")
	}
}

// TestLocalValues reads values at the limits of Secrets Manager.
func TestLocalValues(t *testing.T) {
	for _, c := range []struct{ text, value, problem string }{
		{"one\n", "one", ""},
		{"one\r\n", "one", ""},
		{"one\n\n", "one\n", ""},
		{" one", " one", ""},
		{strings.Repeat("x", secret.MaxValue), strings.Repeat("x", secret.MaxValue), ""},
		{strings.Repeat("x", secret.MaxValue) + "\r\n", strings.Repeat("x", secret.MaxValue), ""},
		{strings.Repeat("x", secret.MaxValue+1), "", "the value is larger than 64 KiB"},
		{strings.Repeat("x", secret.MaxValue+3), "", ""},
		{"", "", "the value is empty"},
		{"\n", "", "the value is empty"},
		{"hush\x00", "", "the value is binary"},
		{"hush\xff", "", "the value is binary"},
	} {
		path := filepath.Join(t.TempDir(), "value")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got := secret.ReadLocal(t.Context(), secret.Secret{Key: "db", File: path}, nil)
		if len(c.text) > secret.MaxValue+2 {
			wantRefused(t, got.Err, "bytes")
			continue
		}
		if c.problem != "" {
			wantRefused(t, got.Err, c.problem)
			if strings.Contains(got.Err.Error(), "hush") {
				t.Errorf("the error %q has the value", got.Err)
			}
			continue
		}
		if got.Err != nil || !got.Found || got.Value.Reveal() != c.value || got.Cut != strings.HasSuffix(c.text, "\n") {
			t.Errorf("ReadLocal of %.20q: %.20q, cut %v, %v, want %.20q", c.text, got.Value.Reveal(), got.Cut, got.Err, c.value)
		}
		if text := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(text, "one") {
			t.Errorf("%s has the value", text)
		}
	}
}

// FuzzExternal checks that a name is refused or gives an id without a wildcard.
func FuzzExternal(f *testing.F) {
	f.Add("arn:aws:secretsmanager:eu-west-1:123456789012:secret:partner/token-AbCdEf:key::")
	f.Add("/shop/flag")
	f.Fuzz(func(t *testing.T, name string) {
		got, err := secret.Of(external(name))
		if err == nil && (len(got) != 1 || strings.ContainsAny(got[0].ID, "*?$ \n")) {
			t.Errorf("Of %q: %+v, want an error or an id without wildcards", name, got)
		}
	})
}

// TestOfLongName: a name of Secrets Manager has at most 512 characters.
func TestOfLongName(t *testing.T) {
	const others = len("shop/")
	for length, want := range map[int]bool{512: true, 513: false} {
		key := strings.Repeat("k", length-others)
		p := external("")
		p.Secrets = types.Secrets{key: {File: "value"}}
		p.Services["web"].Secrets[0].Source = key
		if _, err := secret.Of(p); (err == nil) != want {
			t.Errorf("a name of %d characters: %v, accepted %v, want %v", length, err, err == nil, want)
		}
	}
}
