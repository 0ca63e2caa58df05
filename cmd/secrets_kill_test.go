package cmd

import (
	"fmt"
	"syscall"
	"testing"
)

// TestSecretsPushKilled kills a push when a request to Secrets Manager arrives, before
// and after it is carried out, and has the same command finish the work.
func TestSecretsPushKilled(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"GetSecretValue", "CreateSecret", "PutSecretValue"} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, carried out: %v", action, after), func(t *testing.T) {
				t.Parallel()
				h := secretsFixture(t)
				if action == "PutSecretValue" {
					if err := writeSecret(t.Context(), h.aws.URL(), "shop/db", "an older value"); err != nil {
						t.Fatal(err)
					}
				}
				g := newGate(t, after)
				h.proxy.set(&rule{match: on(action, "", ""), treat: g.treat})
				run := h.start("secrets", "push")
				run.meets(g)
				run.signal(syscall.SIGKILL)
				<-run.ended
				g.release(false)
				h.proxy.set()
				_, before := h.aws.SecretValue("shop/db")
				h.start("secrets", "push").wait(exitDone)
				value, versions := h.aws.SecretValue("shop/db")
				if value != "hush-db-password" {
					t.Errorf("the value is %q, want hush-db-password", value)
				}
				if carried := after && action != "GetSecretValue"; carried && versions != before {
					t.Errorf("%d versions, want %d: the value was there", versions, before)
				}
				h.start("secrets", "push", "--output", "json").wait(exitDone)
				if _, again := h.aws.SecretValue("shop/db"); again != versions {
					t.Errorf("%d versions after another push, want %d", again, versions)
				}
			})
		}
	}
}

// TestSecretsPushRetries has a push succeed whose requests fail at first, with one
// version of the value.
func TestSecretsPushRetries(t *testing.T) {
	t.Parallel()
	for _, f := range []proxyFault{serverError, throttled, cutOff, answerLost} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			h := secretsFixture(t)
			fails := &rule{match: on("CreateSecret", "", ""), times: 1, treat: f.treat}
			h.proxy.set(fails)
			h.start("secrets", "push").wait(exitDone)
			if value, versions := h.aws.SecretValue("shop/db"); value != "hush-db-password" || versions != 1 || h.proxy.count(fails) != 2 {
				t.Errorf("value %q in %d versions after %d requests, want hush-db-password in 1 after 2", value, versions, h.proxy.count(fails))
			}
		})
	}
}
