// Package allow represents the access of a project beyond its own directory and
// repositories: the values of --allow, and the access that a project needs and no
// value grants. docs/allow.md describes both.
package allow

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"slipway/internal/awsname"
	"slipway/internal/shell"
)

// Kind is the first part of a value of --allow, before the equals sign.
type Kind string

// The kinds of docker buildx bake's entitlements, and Slipway's own.
const (
	NetworkHost      Kind = "network.host"
	SecurityInsecure Kind = "security.insecure"
	Device           Kind = "device"
	FSRead           Kind = "fs.read"
	FSWrite          Kind = "fs.write"
	SSH              Kind = "ssh"
	Env              Kind = "env"
	Engine           Kind = "engine"
	Repository       Kind = "repository"
	S3               Kind = "s3"
	ECS              Kind = "ecs"
	Cache            Kind = "cache"
)

// form says how a kind is written.
type form struct {
	kind Kind
	// value stands for the value in messages; empty for a kind without one.
	value string
	// optional reports whether the kind alone allows every value.
	optional bool
	// legal matches the values that can be asked for; nil matches all.
	legal *regexp.Regexp
}

var forms = []form{
	{kind: NetworkHost}, {kind: SecurityInsecure}, {kind: Device, value: "NAME", optional: true},
	{kind: FSRead, value: "PATH"}, {kind: FSWrite, value: "PATH"}, {kind: SSH},
	{kind: Env, value: "NAME", legal: regexp.MustCompile(`^[^=\s]+$`)},
	{kind: Engine, value: "ADDRESS", optional: true}, {kind: Repository, value: "NAME"},
	{kind: S3, value: "URL", legal: regexp.MustCompile(`^[A-Za-z0-9+.-]+://`)},
	{kind: ECS, value: "CLUSTER/SERVICE", legal: regexp.MustCompile(`[/*]`)},
	{kind: Cache, value: "TYPE"},
}

// Known lists the values that Parse takes, for help and error messages.
func Known() string {
	var out []string
	for _, f := range forms {
		switch {
		case f.optional:
			out = append(out, string(f.kind)+"[="+f.value+"]")
		case f.value != "":
			out = append(out, string(f.kind)+"="+f.value)
		default:
			out = append(out, string(f.kind))
		}
	}
	return strings.Join(out, ", ")
}

// Want is one access that a project needs.
type Want struct {
	Kind Kind
	// Value is a path, a name, an address or a URL; empty for a kind without one.
	Value string
	// Where names the field that needs it.
	Where string
}

// String returns the value of --allow that grants it.
func (w Want) String() string {
	if w.Value == "" {
		return string(w.Kind)
	}
	return string(w.Kind) + "=" + w.Value
}

// Flag returns the flag that grants it, quoted for a POSIX shell.
func (w Want) Flag() string {
	value := w.String()
	if strings.ContainsAny(value, ",\"\n") {
		// The flag's value is a list in CSV.
		value = `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
	}
	return "--allow " + shell.Word(value)
}

// Set is the access that the operator allows. The zero value allows nothing.
type Set struct{ granted []Want }

// Parse reads values of --allow. Paths are relative to dir. The error lists the
// values that are known.
func Parse(dir string, values []string) (Set, error) {
	var s Set
	for _, v := range values {
		w, err := parse(dir, v)
		if err != nil {
			return Set{}, fmt.Errorf("%q: %w", v, err)
		}
		s.granted = append(s.granted, w)
	}
	return s, nil
}

func parse(dir, text string) (Want, error) {
	kind, value, hasValue := strings.Cut(text, "=")
	i := slices.IndexFunc(forms, func(f form) bool { return f.kind == Kind(kind) })
	if i < 0 {
		return Want{}, errors.New("unknown entitlement")
	}
	switch f := forms[i]; {
	case f.value == "" && hasValue:
		return Want{}, errors.New("takes no value")
	case f.value != "" && value == "" && (hasValue || !f.optional):
		return Want{}, fmt.Errorf("write %s=%s", f.kind, f.value)
	case hasValue && f.legal != nil && !f.legal.MatchString(value):
		return Want{}, fmt.Errorf("write %s=%s", f.kind, f.value)
	}
	w := Want{Kind: Kind(kind), Value: value}
	switch w.Kind {
	case FSRead, FSWrite:
		if value != anything && !filepath.IsAbs(value) {
			w.Value = filepath.Join(dir, value)
		}
	case Repository:
		w.Value = arnOf(value)
	}
	return w, nil
}

// anything is the value that stands for every path.
const anything = "*"

// ecrURI is the address of a repository in ECR, or a pattern of one.
var ecrURI = regexp.MustCompile(`^([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.[a-z0-9.-]+/(.+)$`)

// arnOf writes a repository's address in ECR as its ARN; anything else stays.
func arnOf(repository string) string {
	if m := ecrURI.FindStringSubmatch(repository); m != nil {
		return RepositoryARN(m[1], m[2], m[3])
	}
	return repository
}

// RepositoryARN returns the ARN of a repository. An empty region is written as *.
func RepositoryARN(account, region, name string) string {
	partition := "aws"
	if p, ok := awsname.PartitionOf(region); ok {
		partition = p.ID
	}
	region = cmp.Or(region, anything)
	return "arn:" + partition + ":ecr:" + region + ":" + account + ":repository/" + name
}

// With returns the set that grants more as well.
func (s Set) With(more ...Want) Set {
	return Set{append(slices.Clone(s.granted), more...)}
}

// And returns the union of two sets.
func (s Set) And(other Set) Set { return s.With(other.granted...) }

// Allows reports whether the set covers a want.
func (s Set) Allows(w Want) bool {
	return slices.ContainsFunc(s.granted, func(g Want) bool { return g.covers(w) })
}

// Env reports whether the project may read an environment variable that holds
// credentials.
func (s Set) Env(name string) bool { return s.Allows(Want{Kind: Env, Value: name}) }

// FSRead reports whether the project may have a path outside it read.
func (s Set) FSRead(path string) bool { return s.Allows(Want{Kind: FSRead, Value: path}) }

// FSWrite reports whether the project may have a path outside it written.
func (s Set) FSWrite(path string) bool { return s.Allows(Want{Kind: FSWrite, Value: path}) }

// covers reports whether one granted value is enough for a want.
func (w Want) covers(asked Want) bool {
	if w.Kind != asked.Kind {
		return false
	}
	switch w.Kind {
	case FSRead, FSWrite:
		return w.Value == anything || Inside(w.Value, asked.Value)
	case S3:
		place := strings.TrimSuffix(w.Value, "/")
		return asked.Value == place || strings.HasPrefix(asked.Value, place+"/")
	case Repository, ECS:
		return glob(w.Value, asked.Value)
	default:
		return w.Value == "" || w.Value == asked.Value
	}
}

// glob reports whether text matches a pattern in which * stands for any text.
func glob(pattern, text string) bool {
	first, rest, starred := strings.Cut(pattern, anything)
	text, ok := strings.CutPrefix(text, first)
	if !ok || !starred {
		return ok && text == ""
	}
	parts := strings.Split(rest, anything)
	for _, part := range parts[:len(parts)-1] {
		_, after, ok := strings.Cut(text, part)
		if !ok {
			return false
		}
		text = after
	}
	return strings.HasSuffix(text, parts[len(parts)-1])
}
