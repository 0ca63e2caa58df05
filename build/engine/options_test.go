package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/build/engine"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"", "docker", "buildkitd", "managed", "own",
		"unix:///run/buildkit/buildkitd.sock", "tcp://10.0.0.1:1234", "tcp://[::1]:1234",
		"docker-container://buildkitd", "docker-container://buildkitd?context=remote",
		"kube-pod://buildkitd-0?context=prod&namespace=build&container=buildkitd", "ssh://user@host:2222", "ssh://host/run/buildkit/buildkitd.sock",
		"linux/amd64=tcp://amd:1234,linux/arm64=docker", "linux/amd64=managed", "linux/amd64=own", "linux/arm64=kube-pod://arm?namespace=build",
		"tcp://a:1|tcp://b:1", "unix:///a.sock | ssh://me@b|docker-container://c", "linux/amd64=tcp://a:1|kube-pod://b?namespace=x,linux/arm64=docker",
		"linux/amd64=tcp://a:1|tcp://b:1,linux/arm64=tcp://a:1|tcp://b:1",
	} {
		if err := (engine.Options{Address: good, AddressFrom: "--engine"}).Check(); err != nil {
			t.Errorf("Check of %s = %v, want no error", good, err)
		}
	}
}

func TestBadAddresses(t *testing.T) {
	t.Parallel()
	for bad, want := range map[string]string{
		"localhost:1234":                           `"localhost:1234" is not an engine address`,
		"Docker":                                   `"Docker" is not an engine address`,
		"http://host:1234":                         `"http://host:1234": an engine is not reached by http://`,
		"tcp://":                                   `"tcp://" names no place`,
		"unix://":                                  `"unix://" names no place`,
		"docker-container://":                      `"docker-container://": url lacks container name`,
		"kube-pod://":                              `"kube-pod://": url lacks pod name`,
		"ssh://user:secret@host":                   `plain-text password is not supported`,
		"linux/amd64=,linux/arm64=own":             `linux/amd64 has no address`,
		"linux/amd64=own,docker":                   `"docker" names no platform`,
		"linux/amd64=own,linux/x86_64=docker":      `linux/amd64 is named twice`,
		"linux/amd64=own,not a platform=docker":    `names no platform`,
		"linux/amd64=own,linux/arm64=http://x:1":   `an engine is not reached by http://`,
		"linux/amd64=own,linux/arm64=nowhere:1234": `"nowhere:1234" is not an engine address`,
		"tcp://a:1||tcp://b:1":                     `the pool "tcp://a:1||tcp://b:1" has an empty address`,
		"tcp://a:1|":                               `has an empty address`,
		"linux/amd64=|tcp://a:1":                   `the pool "|tcp://a:1" has an empty address`,
		"tcp://a:1|tcp://b:1|tcp://a:1":            `tcp://a:1 is twice in one pool`,
		"tcp://u:x@a:1|tcp://u:y@a:1":              `tcp://u:REDACTED@a:1 is twice in one pool`,
		"docker|tcp://a:1":                         `docker cannot be in a pool`,
		"tcp://a:1|own":                            `managed cannot be in a pool`,
		"linux/amd64=tcp://a:1|buildkitd":          `buildkitd cannot be in a pool`,
		"tcp://a:1|tcp://b":                        `"tcp://b" names no port`,
	} {
		err := engine.Options{Address: bad, AddressFrom: "SLIPWAY_ENGINE"}.Check()
		var address *engine.AddressError
		if !errors.As(err, &address) {
			t.Errorf("%s: want an *AddressError, have %v", bad, err)
			continue
		}
		if !strings.HasPrefix(err.Error(), "SLIPWAY_ENGINE: ") || !strings.Contains(err.Error(), want) || address.Hint() == "" {
			t.Errorf("Check of %s = %v, want an AddressError of SLIPWAY_ENGINE with a hint and %q", bad, err, want)
		}
		// Finding begins with the same check: nothing is dialled.
		if _, err := engine.Find(t.Context(), engine.Options{Address: bad, AddressFrom: "SLIPWAY_ENGINE"}); !errors.As(err, &address) {
			t.Errorf("%s: found: %v", bad, err)
		}
	}
}

// A password in an address is shown to nobody.
func TestAddressPasswordIsNotTold(t *testing.T) {
	t.Parallel()
	err := engine.Options{Address: "ssh://user:s3cr3t@host", AddressFrom: "--engine"}.Check()
	if err == nil || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("Check = %v, want an error without the password", err)
	}
}

func TestPlatforms(t *testing.T) {
	t.Parallel()
	for address, want := range map[string][]string{
		"":                         nil,
		"docker":                   nil,
		"kube-pod://pod?context=a": nil,
		"linux/x86_64=own,linux/arm64/v8=tcp://a:1": {"linux/amd64", "linux/arm64"},
		"linux/arm/v7=own":                          {"linux/arm/v7"},
		"tcp://a:1|tcp://b:1":                       nil,
		"linux/amd64=tcp://a:1|tcp://b:1,linux/arm64=tcp://a:1|tcp://c:1": {"linux/amd64", "linux/arm64"},
	} {
		if got := (engine.Options{Address: address}).Platforms(); !slices.Equal(got, want) {
			t.Errorf("Platforms of %s = %q, want %q", address, got, want)
		}
	}
}

// The managed engine's earlier name is taken wherever its name is.
func TestOwnMeansManaged(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"own", "managed", "linux/amd64=own", "linux/amd64= own ,linux/arm64=docker", "linux/amd64=docker,linux/arm64=managed"} {
		o := engine.Options{Address: address, AddressFrom: "--engine", Binary: "/nonexistent/buildkitd"}
		if err := o.Check(); err != nil || !o.MayBeManaged() {
			t.Errorf("%q: Check() = %v, MayBeManaged() = %t, want no error and true", address, err, o.MayBeManaged())
		}
	}
	for _, address := range []string{"own", "managed"} {
		_, err := engine.Find(t.Context(), engine.Options{Address: address, AddressFrom: "--engine", Binary: "/nonexistent/buildkitd"})
		var none *engine.NotFoundError
		if !errors.As(err, &none) || !strings.Contains(err.Error(), "/nonexistent/buildkitd") {
			t.Errorf("Find with %q = %v, want a *NotFoundError about the program to start", address, err)
		}
	}
}

func FuzzAddress(f *testing.F) {
	for _, s := range []string{"own", "tcp://a:1", "linux/amd64=own,linux/arm64=docker", "a=b=c,,=", "unix:///x?=://", "tcp://a:1|tcp://b:1", "a=b|c=d||"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, address string) {
		o := engine.Options{Address: address, AddressFrom: "--engine"}
		err := o.Check()
		var bad *engine.AddressError
		if err != nil && !errors.As(err, &bad) {
			t.Errorf("%q: %v is no *AddressError", address, err)
		}
		if err == nil && o.Several() != (len(o.Platforms()) > 0) {
			t.Errorf("%q: several %v, platforms %q", address, o.Several(), o.Platforms())
		}
	})
}

func TestTLSDirectoryIncomplete(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, f := range []string{"ca.pem", "cert.pem"} {
		if err := os.WriteFile(filepath.Join(dir, f), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err := engine.Options{Address: "tcp://host:1", AddressFrom: "--engine", TLS: dir}.Check()
	var bad *engine.AddressError
	if !errors.As(err, &bad) || !strings.HasPrefix(err.Error(), "certificates: ") || !strings.Contains(err.Error(), "key.pem") {
		t.Errorf("Check = %v, want an AddressError of the certificates that names key.pem", err)
	}
}
