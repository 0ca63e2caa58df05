package diff

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
)

// The tags of a task definition that Slipway wrote.
const (
	// SettingsTag has 12 hexadecimal digits of the SHA-256 sum of the owned part.
	SettingsTag = "slipway:settings"
	// ContainersTag has the names of the compose file's containers, separated by
	// spaces. Names that do not fit into one tag follow in slipway:containers-2 and so
	// on.
	ContainersTag = "slipway:containers"
)

// Written says how far the tags prove that Slipway wrote a task definition.
type Written int

// The proofs.
const (
	// Untagged is a definition without the tags.
	Untagged Written = iota
	// Altered is one whose settings are not those that its tag names.
	Altered
	// Proven is one whose settings are those that Slipway wrote.
	Proven
)

// maxTagValue is the longest value of a tag (Tag in the ECS API reference).
const maxTagValue = 256

// tag returns the value of a tag.
func (r Running) tag(key string) (string, bool) {
	for _, t := range objects(r.Tags) {
		if text(t, "key") == key {
			return text(t, "value"), true
		}
	}
	return "", false
}

// Tagged reports whether Slipway has written the settings of a definition, or one that
// it was copied from.
func (r Running) Tagged() bool {
	_, settings := r.tag(SettingsTag)
	_, containers := r.tag(ContainersTag)
	return settings && containers
}

// Containers returns the containers that the tags name: those of the compose file.
func (r Running) Containers() []string {
	var out []string
	for n := 1; ; n++ {
		names, ok := r.tag(numbered(ContainersTag, n))
		if !ok {
			return out
		}
		out = append(out, strings.Fields(names)...)
	}
}

// written compares the tags with the content. Names that keep has in the meantime count
// as those that it has not: others may have added them.
func (r Running) written(keep map[string][]string) Written {
	have, _ := r.tag(SettingsTag)
	containers := r.Containers()
	switch {
	case !r.Tagged():
		return Untagged
	case have == settingsOf(r.Fields, containers, keep) || have == settingsOf(r.Fields, containers, nil):
		return Proven
	}
	return Altered
}

// settingsOf returns the sum of the owned part of a definition: that of the named
// containers and the task, without images, which every deployment changes.
func settingsOf(fields object, containers []string, keep map[string][]string) string {
	owned := object{}
	mounted := map[string]bool{}
	s := &scope{foreign: map[string]bool{}, foreignVolumes: map[string]bool{}, samePort: samePort(fields)}
	for _, c := range objects(fields["containerDefinitions"]) {
		if name := text(c, "name"); !slices.Contains(containers, name) {
			s.foreign[name] = true
			for _, mount := range objects(c["mountPoints"]) {
				s.foreignVolumes[text(mount, "sourceVolume")] = true
			}
		}
	}
	for _, c := range objects(fields["containerDefinitions"]) {
		if name := text(c, "name"); !s.foreign[name] {
			s.keep = keep[name]
			owned[name] = containerRules.owned(s, c)
			for _, mount := range objects(c["mountPoints"]) {
				mounted[text(mount, "sourceVolume")] = true
			}
		}
	}
	for _, v := range objects(fields["volumes"]) {
		if name := text(v, "name"); !mounted[name] {
			s.foreignVolumes[name] = true
		}
	}
	data, err := json.Marshal([]any{taskRules.owned(s, fields), owned})
	if err != nil {
		return "" // of JSON that was read, which cannot be
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:6])
}

// tagged returns tags with those of the settings.
func tagged(tags []any, fields object, containers []string, keep map[string][]string) []any {
	out := slices.DeleteFunc(withoutTag(tags, ContainersTag), func(t any) bool { return text(asObject(t), "key") == SettingsTag })
	out = append(out, object{"key": SettingsTag, "value": settingsOf(fields, containers, keep)})
	for n, names := range lines(slices.Sorted(slices.Values(containers))) {
		out = append(out, object{"key": numbered(ContainersTag, n+1), "value": names})
	}
	return out
}

// lines joins names by spaces to as few values of tags as possible.
func lines(names []string) []string {
	out := []string{""}
	for _, name := range names {
		last := &out[len(out)-1]
		switch {
		case *last == "":
			*last = name
		case len(*last)+1+len(name) <= maxTagValue:
			*last += " " + name
		default:
			out = append(out, name)
		}
	}
	return out
}
