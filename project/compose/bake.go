package compose

import (
	"encoding/csv"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// bakeKey is the key of docker buildx bake's own settings in a build section ("Building
// with Bake from a Compose file" in Docker's manual).
const bakeKey = "x-bake"

// bakeKeys add the keys of x-bake to a build, as bake does (bake/compose.go).
var bakeKeys = map[string]func(*bake, any) error{
	"platforms":       func(b *bake, v any) error { return b.list("platforms", v, &b.build.Platforms) },
	"cache-from":      func(b *bake, v any) error { return b.list("cache-from", v, &b.build.CacheFrom) },
	"cache-to":        func(b *bake, v any) error { return b.list("cache-to", v, &b.build.CacheTo) },
	"no-cache-filter": func(b *bake, v any) error { return b.list("no-cache-filter", v, &b.build.NoCacheFilter) },
	"pull":            func(b *bake, v any) error { return b.boolean("pull", v, &b.build.Pull) },
	"no-cache":        func(b *bake, v any) error { return b.boolean("no-cache", v, &b.build.NoCache) },
	"contexts":        (*bake).contexts,
	"ssh":             (*bake).ssh,
	"secret":          (*bake).secrets,
}

// unreadKeys are the keys of bake that mean nothing here, and why.
var unreadKeys = map[string]string{
	"output": ": Slipway pushes each image to its repository",
	"tags":   ": Slipway tags each image with the hash; write more tags into build.tags",
}

// UnreadBake returns a sentence for each key under x-bake that Slipway does not read, sorted.
func UnreadBake(build *types.BuildConfig) []string {
	fields, _ := build.Extensions[bakeKey].(map[string]any)
	var out []string
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if _, ok := bakeKeys[key]; !ok {
			out = append(out, key+" is not read"+unreadKeys[key])
		}
	}
	return out
}

// bake adds the x-bake of one service to its build.
type bake struct {
	project *types.Project
	service string
	build   *types.BuildConfig
}

// mergeBake adds x-bake to the builds of all services.
func mergeBake(p *types.Project) error {
	for _, services := range []types.Services{p.Services, p.DisabledServices} {
		for _, name := range slices.Sorted(maps.Keys(services)) {
			if build := services[name].Build; build != nil && build.Extensions[bakeKey] != nil {
				if err := (&bake{p, name, build}).merge(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (b *bake) merge() error {
	fields, ok := b.build.Extensions[bakeKey].(map[string]any)
	if !ok {
		return inputError("services."+b.service+".build."+bakeKey, "write it as a mapping",
			"want a mapping, have %s", kindOf(b.build.Extensions[bakeKey]))
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if add, ok := bakeKeys[key]; ok && fields[key] != nil {
			if err := add(b, fields[key]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bake) refuse(key, format string, args ...any) error {
	where := "services." + b.service + ".build." + bakeKey + "." + key
	return inputError(where, "write it as docker buildx bake reads it", format, args...)
}

// texts reads a list of strings, or strings in one that are separated by spaces.
func (b *bake) texts(key string, v any) ([]string, error) {
	if one, ok := v.(string); ok {
		return strings.Fields(one), nil
	}
	values, ok := v.([]any)
	if !ok {
		return nil, b.refuse(key, "want a list of strings, have %s", kindOf(v))
	}
	var out []string
	for _, v := range values {
		text, ok := v.(string)
		if !ok {
			return nil, b.refuse(key, "want a list of strings, have %s in it", kindOf(v))
		}
		out = append(out, text)
	}
	return out, nil
}

// list adds the strings that are not there yet.
func (b *bake) list(key string, v any, to *types.StringList) error {
	texts, err := b.texts(key, v)
	for _, text := range texts {
		if !slices.Contains(*to, text) {
			*to = append(*to, text)
		}
	}
	return err
}

// boolean reads a boolean, or one that a variable has made a string.
func (b *bake) boolean(key string, v any, to *bool) error {
	set, ok := v.(bool)
	if text, is := v.(string); is {
		var err error
		set, err = strconv.ParseBool(text)
		ok = err == nil
	}
	if !ok {
		return b.refuse(key, "want a boolean, have %s", kindOf(v))
	}
	*to = set
	return nil
}

func (b *bake) contexts(v any) error {
	fields, ok := v.(map[string]any)
	if !ok {
		return b.refuse("contexts", "want a mapping of strings, have %s", kindOf(v))
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		text, ok := fields[name].(string)
		if !ok {
			return b.refuse("contexts."+name, "want a string, have %s", kindOf(fields[name]))
		}
		if target, ok := strings.CutPrefix(text, "target:"); ok {
			text = types.ServicePrefix + target
		}
		if b.build.AdditionalContexts == nil {
			b.build.AdditionalContexts = types.Mapping{}
		}
		b.build.AdditionalContexts[name] = text
	}
	return nil
}

// ssh reads ID or ID=PATH. One that the build has is replaced.
func (b *bake) ssh(v any) error {
	texts, err := b.texts("ssh", v)
	if err != nil {
		return err
	}
	for _, text := range texts {
		id, path, _ := strings.Cut(text, "=")
		if strings.Contains(path, ",") {
			return b.refuse("ssh", "%q has more than one path", text)
		}
		b.build.SSH = slices.DeleteFunc(b.build.SSH, func(k types.SSHKey) bool { return k.ID == id })
		b.build.SSH = append(b.build.SSH, types.SSHKey{ID: id, Path: path})
	}
	return nil
}

// secrets reads secrets as docker build --secret does. One of an id that the build has
// replaces it.
func (b *bake) secrets(v any) error {
	texts, err := b.texts("secret", v)
	if err != nil {
		return err
	}
	for _, text := range texts {
		id, secret, err := b.secret(text)
		if err != nil {
			return b.refuse("secret", "%v", err)
		}
		source := b.declare(id, secret)
		b.build.Secrets = slices.DeleteFunc(b.build.Secrets, func(s types.ServiceSecretConfig) bool {
			return s.Target == id || s.Target == "" && s.Source == id
		})
		b.build.Secrets = append(b.build.Secrets, types.ServiceSecretConfig{Source: source, Target: id})
	}
	return nil
}

// declare adds a secret to the project and returns its name there. Services that give an
// id the same source share one.
func (b *bake) declare(id string, secret types.SecretConfig) string {
	source := bakeKey + "." + id
	other, ok := b.project.Secrets[source]
	if ok && (other.File != secret.File || other.Environment != secret.Environment) {
		source += "." + b.service
	}
	if b.project.Secrets == nil {
		b.project.Secrets = types.Secrets{}
	}
	b.project.Secrets[source] = secret
	return source
}

// secret reads id=ID,src=FILE or id=ID,env=NAME. Without either, the id names a variable
// that is set, or a file.
func (b *bake) secret(text string) (id string, out types.SecretConfig, err error) {
	attrs, err := attributes(text, "id", "src", "source", "env", "type")
	if err != nil {
		return "", out, err
	}
	id, file, env := attrs["id"], attrs["src"]+attrs["source"], attrs["env"]
	switch {
	case id == "":
		return "", out, fmt.Errorf("%q has no id", text)
	case attrs["type"] == "env" && env == "":
		file, env = "", file
	case attrs["type"] != "" && attrs["type"] != "file" && attrs["type"] != "env":
		return "", out, fmt.Errorf("%q: unknown type %q", text, attrs["type"])
	}
	if file == "" && env == "" {
		if _, ok := b.project.Environment[id]; ok {
			env = id
		} else {
			file = id
		}
	}
	if file != "" && !filepath.IsAbs(file) {
		file = filepath.Join(b.project.WorkingDir, file)
	}
	return id, types.SecretConfig{File: file, Environment: env}, nil
}

// attributes reads KEY=VALUE pairs of one line of CSV.
func attributes(text string, known ...string) (map[string]string, error) {
	fields, err := csv.NewReader(strings.NewReader(text)).Read()
	if err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	out := map[string]string{}
	for _, field := range fields {
		key, value, _ := strings.Cut(field, "=")
		key = strings.ToLower(key)
		if !slices.Contains(known, key) {
			return nil, fmt.Errorf("%q: unknown attribute %q", text, key)
		}
		out[key] = value
	}
	return out, nil
}
