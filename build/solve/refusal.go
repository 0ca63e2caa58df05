package solve

import (
	"cmp"
	"errors"
	"regexp"
)

// Refusal is something that a step asks for and that it was not granted.
type Refusal struct {
	Service string
	// Grant is an entitlement, or GrantSSH or GrantSecret.
	Grant string
	// Name is the id of the secret or the SSH key.
	Name string
	// ByEngine reports that the engine's configuration forbids it to every build.
	ByEngine bool
}

// The grants that are not entitlements.
const (
	GrantSSH    = "ssh"
	GrantSecret = "secret"
)

// The messages of BuildKit: util/entitlements, solver/llbsolver/mounts, session/secrets.
var (
	entitlementForbidden = regexp.MustCompile(`granting entitlement (\S+) is not allowed by build daemon configuration`)
	entitlementMissing   = regexp.MustCompile(`(network\.host|security\.insecure) is not allowed`)
	sshMissing           = regexp.MustCompile(`no SSH key "([^"]*)" forwarded from the client`)
	secretMissing        = regexp.MustCompile(`secret (\S+): not found`)
)

// RefusalOf returns the refusal that made a build fail; nil if it failed otherwise.
func RefusalOf(err error) *Refusal {
	var failed *FailedError
	if !errors.As(err, &failed) {
		return nil
	}
	text := failed.Err.Error()
	if m := entitlementForbidden.FindStringSubmatch(text); m != nil {
		return &Refusal{Service: failed.Service, Grant: m[1], ByEngine: true}
	}
	if m := entitlementMissing.FindStringSubmatch(text); m != nil {
		return &Refusal{Service: failed.Service, Grant: m[1]}
	}
	if m := sshMissing.FindStringSubmatch(text); m != nil {
		return &Refusal{Service: failed.Service, Grant: GrantSSH, Name: cmp.Or(m[1], "default")}
	}
	if m := secretMissing.FindStringSubmatch(text); m != nil {
		return &Refusal{Service: failed.Service, Grant: GrantSecret, Name: m[1]}
	}
	return nil
}
