package diff

import (
	"fmt"

	"slipway/rollout/task"
)

// New returns the definition to register for an ECS service that is to be created: the
// derived one, with nothing of others. It has no Changes.
func New(derived task.Definition) (Result, error) {
	filled, unknown := derived.Fill(finder{}.find)
	fields, err := asJSON(filled.Input)
	if err != nil {
		return Result{}, fmt.Errorf("writing task definition %s as JSON: %w", derived.Input.Family, err)
	}
	_, current := Running{}.rotate(filled, nil)
	return Result{
		Fields: fields, Tags: current.tagged(tagged(nil, fields, names(fields), derived.Keep)), Written: Proven, Unknown: unknown,
	}, nil
}

// Is reports whether Slipway registered a definition for a derived one: it has the same
// settings and no more containers. Images that the project builds are not compared.
func (r Running) Is(derived task.Definition) bool {
	found, err := Compare(derived, r)
	return err == nil && found.Written == Proven && len(found.Changes) == 0 && len(found.Unknown) == 0 &&
		len(names(r.Fields)) == len(derived.Input.Containers)
}
