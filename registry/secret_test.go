package registry

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretNeverShows(t *testing.T) {
	t.Parallel()
	const hidden = "hunter2-hunter2"
	creds := Credentials{Username: "AWS", Password: NewSecret(hidden)}
	outer := struct{ inner Credentials }{creds}
	marshalled, err := json.Marshal(creds)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("login", "creds", creds, "password", creds.Password)
	seen := []string{string(marshalled), log.String(), creds.Password.String(), fmt.Sprint(creds.Password.GoString())}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%t"} {
		if got := fmt.Sprintf(verb, creds.Password); got != "REDACTED" {
			t.Errorf("%s shows %q, want REDACTED", verb, got)
		}
		seen = append(seen, fmt.Sprintf(verb, creds.Password), fmt.Sprintf(verb, creds), fmt.Sprintf(verb, &creds), fmt.Sprintf(verb, outer))
	}
	for _, s := range seen {
		for _, leak := range []string{hidden, fmt.Sprintf("%x", hidden), fmt.Sprintf("%X", hidden)} {
			if strings.Contains(s, leak) {
				t.Errorf("the secret shows in %q", s)
			}
		}
	}
	if !strings.Contains(string(marshalled), `"REDACTED"`) {
		t.Errorf("JSON is %s, want REDACTED in it", marshalled)
	}
	if got := creds.Password.Reveal(); got != hidden {
		t.Errorf("Reveal() = %q, want %v", got, hidden)
	}
	if got := (Secret{}).Reveal(); got != "" {
		t.Errorf("Reveal() of the zero secret = %q", got)
	}
}
