package diff

import "slipway/rollout/task"

// Next returns the definition to register for a derived one, images included. It is the
// newest revision of the family with the derived settings. It reports whether the two
// differ, which they do if there is none: newest.Fields is nil then. Values that stand for
// unknown surroundings are taken from the newest revision, else from other definitions.
func Next(derived task.Definition, newest Running, others ...map[string]any) (Result, bool, error) {
	derived, unknown := derived.Fill(finder{newest.Fields}.find)
	for _, fields := range others {
		derived, unknown = derived.Fill(finder{fields}.find)
	}
	derived.Built = nil // their images are compared, too
	if newest.Fields != nil {
		found, err := Compare(derived, newest)
		return found, len(found.Changes) > 0, err
	}
	found, err := New(derived)
	found.Unknown = nil
	for _, p := range unknown {
		if p.Container != "" {
			found.Unknown = append(found.Unknown, p)
		} else {
			delete(found.Fields, p.Field)
		}
	}
	return found, true, err
}
