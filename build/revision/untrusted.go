package revision

import (
	"fmt"

	"slipway/internal/trust"
)

// Untrusted returns the hash that an untrusted build of the same source has:
// prN- and the name for pull request N, untrusted- and the name for a number of
// 0. Its variants and the hash of a work tree with changes are formed as usual.
// A name that becomes longer than MaxName is a *NameError.
func Untrusted(h Hash, number int) (Hash, error) {
	prefix := trust.Prefix(number)
	if most := MaxName - len(prefix); len(h.Name) > most {
		return Hash{}, fmt.Errorf("taking the hash from %s: %w", h.Source,
			&NameError{h.Name, fmt.Sprintf("has %d characters, and an untrusted build puts %q before it", len(h.Name), prefix), fmt.Sprintf("use at most %d", most)})
	}
	h.Name = prefix + h.Name
	return h, nil
}

// reservedRemedy is the way to a name that untrusted builds have.
const reservedRemedy = "choose another name: an untrusted build adds the prefix by itself"
