// Package resource makes up the identities of CloudFormation resources: their physical
// ids and the attributes that Fn::GetAtt returns.
package resource

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"slipway/internal/sandbox/awsapi"
)

// Stack is the stack that a resource belongs to.
type Stack struct{ Account, Region, Name string }

// Identity is how a template refers to a resource.
type Identity struct {
	// ID is the physical id, which Ref returns.
	ID string
	// Attributes are the values of Fn::GetAtt, by their names.
	Attributes map[string]string
}

// ErrType is the error for a type of resources that has no identities here. Its text is
// CloudFormation's.
type ErrType string

func (e ErrType) Error() string {
	return fmt.Sprintf("Template format error: Unrecognized resource types: [%s]", string(e))
}

// Known reports whether resources of a type have identities.
func Known(resourceType string) bool {
	_, ok := kinds[resourceType]
	return ok
}

// Identify returns the identity of a resource, which is the same for the same stack,
// logical id and name. The error is ErrType for a type that is not known.
func Identify(s Stack, logicalID, resourceType string, properties map[string]any) (Identity, error) {
	k, ok := kinds[resourceType]
	if !ok {
		return Identity{}, ErrType(resourceType)
	}
	fill := filler(s, logicalID)
	id := fill.Replace(k.id)
	if name, ok := properties[k.name].(string); ok {
		id = name
	}
	id = fromProperties(id, properties)
	out := Identity{id, map[string]string{}}
	for name, text := range k.attributes {
		out.Attributes[name] = strings.ReplaceAll(fill.Replace(text), "{id}", id)
	}
	return out, nil
}

// filler replaces the placeholders of kinds.
func filler(s Stack, logicalID string) *strings.Replacer {
	sum := sha256.Sum256([]byte(s.Account + "/" + s.Region + "/" + s.Name + "/" + logicalID))
	digits, letters := hex.EncodeToString(sum[:]), base32.StdEncoding.EncodeToString(sum[:])
	return strings.NewReplacer(
		"{partition}", awsapi.Partition(s.Region), "{region}", s.Region, "{account}", s.Account, "{stack}", s.Name,
		"{bucket}", strings.ToLower(s.Name+"-"+logicalID), "{logical}", logicalID,
		"{hex8}", digits[:8], "{hex10}", digits[:10], "{hex16}", digits[:16], "{hex17}", digits[:17],
		"{uuid}", strings.Join([]string{digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]}, "-"),
		"{letters6}", letters[12:18], "{LETTERS}", letters[:12], "{letters}", strings.ToLower(letters[:12]),
		"{octet}", fmt.Sprint(sum[0]),
	)
}

var property = regexp.MustCompile(`\{property:([A-Za-z]+)\}`)

// fromProperties replaces {property:NAME} by the value of a property.
func fromProperties(text string, properties map[string]any) string {
	return property.ReplaceAllStringFunc(text, func(m string) string {
		value, _ := properties[property.FindStringSubmatch(m)[1]].(string)
		return value
	})
}
