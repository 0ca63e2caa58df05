package secret

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"strings"
	"unicode/utf8"

	"slipway/internal/bounded"
	"slipway/internal/fault"
	"slipway/registry"
)

// MaxValue is the limit of a value in bytes (SecretString of CreateSecret in the
// Secrets Manager API reference); docs/limits.md lists it.
const MaxValue = 64 << 10

// Local is the value of a secret on this host.
type Local struct {
	Secret
	// Value is the value without one newline at its end.
	Value registry.Secret
	// Found reports that the host has a value, and Cut that a newline was cut off.
	Found, Cut bool
	// Err is the reason for which the value cannot be used, an *fault.InputError. It
	// does not have the value.
	Err error
}

// ReadLocal reads the value of a secret on this host: its file, or its variable, which
// lookup finds. A secret of somebody else has none here.
func ReadLocal(ctx context.Context, s Secret, lookup func(string) (string, bool)) Local {
	out := Local{Secret: s}
	text, err := s.text(ctx, lookup)
	switch {
	case err != nil:
		out.Err = err
	case text != nil:
		out.Found = true
		out.Value, out.Cut, out.Err = s.value(text)
	}
	return out
}

// text returns the bytes of a value, nil if there is none.
func (s Secret) text(ctx context.Context, lookup func(string) (string, bool)) ([]byte, error) {
	switch {
	case s.External:
		return nil, nil
	case s.File != "":
		// Two bytes more, for the newline that is cut off.
		text, err := bounded.ReadFile(ctx, s.File, MaxValue+2)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		var bad *bounded.Error
		if errors.As(err, &bad) {
			return nil, &fault.InputError{Where: s.Field(), Err: err, Remedy: "name a regular file of at most 64 KiB, the limit of Secrets Manager"}
		}
		if err != nil {
			return nil, &fault.InputError{Where: s.Field(), Err: err, Remedy: "make the file readable"}
		}
		return append([]byte{}, text...), nil
	case s.Variable != "":
		if value, ok := lookup(s.Variable); ok {
			return []byte(value), nil
		}
	}
	return nil, nil
}

// value returns a text as a secret, and reports whether a newline was cut off.
func (s Secret) value(text []byte) (registry.Secret, bool, error) {
	value, cut := bytes.CutSuffix(text, []byte("\n"))
	if cut {
		value = bytes.TrimSuffix(value, []byte("\r"))
	}
	switch {
	case len(value) == 0:
		return registry.Secret{}, cut, fault.NewInput(s.Field(), "the value is empty", "write a value: Secrets Manager keeps no empty one")
	case len(value) > MaxValue:
		return registry.Secret{}, cut, fault.NewInput(s.Field(), "the value is larger than 64 KiB", "use a shorter one: that is the limit of Secrets Manager")
	case !utf8.Valid(value) || bytes.IndexByte(value, 0) >= 0:
		return registry.Secret{}, cut, fault.NewInput(s.Field(), "the value is binary, and a container reads it as a variable", "encode it, for example as base64")
	}
	return registry.NewSecret(string(value)), cut, nil
}

// Missing returns the error for a secret without a value on this host.
func (s Secret) Missing() error {
	switch {
	case s.External:
		return fault.NewInput("secrets."+s.Key, "is external: Slipway does not write it", "write it where it is kept, or remove external: true")
	case s.File != "":
		return fault.NewInput(s.Field(), "there is no file "+s.File, "create the file, or name the secrets to push")
	case s.Variable != "":
		return fault.NewInput(s.Field(), "the variable "+s.Variable+" is not set", "set the variable, or name the secrets to push")
	default:
		return fault.NewInput(s.Field(), "has neither a file nor a variable", "write file: or environment:, or make it external")
	}
}

// Source returns the place of the value on this host, for people; empty if the
// compose file names none.
func (s Secret) Source() string {
	switch {
	case s.File != "":
		return "file " + s.File
	case s.Variable != "":
		return "variable " + s.Variable
	default:
		return ""
	}
}

// Named returns the secrets with these names in the compose file, all if there is no
// name. The error is an *fault.InputError.
func Named(all []Secret, names []string) ([]Secret, error) {
	if len(names) == 0 {
		return all, nil
	}
	known := map[string]Secret{}
	var keys []string
	for _, s := range all {
		known[s.Key] = s
		keys = append(keys, s.Key)
	}
	var out []Secret
	seen := map[string]bool{}
	for _, name := range names {
		s, ok := known[name]
		switch {
		case !ok && len(keys) == 0:
			return nil, fault.NewInput("secrets."+name, "no container reads a secret of that name", "add it to secrets: of a service")
		case !ok:
			return nil, fault.NewInput("secrets."+name, "no container reads a secret of that name", "name some of "+strings.Join(keys, ", "))
		case !seen[name]:
			out = append(out, s)
		}
		seen[name] = true
	}
	return out, nil
}
