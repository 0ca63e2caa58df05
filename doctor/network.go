package doctor

import (
	"context"
	"slices"

	"slipway/build/engine"
)

// checkNetwork is about managed engines alone: others have the network that
// their own configuration says.
func (d *doctor) checkNetwork(context.Context) []Finding {
	found, err := d.engine()
	if err != nil {
		return []Finding{Unchecked("", "there is no engine")}
	}
	var out []Finding
	for _, e := range found.all {
		f := networkOf(e).of(e.Platform)
		same := func(o Finding) bool { return o.Subject == f.Subject && o.Detail == f.Detail }
		if !slices.ContainsFunc(out, same) { // those of a pool are alike
			out = append(out, f)
		}
	}
	return out
}

func networkOf(e *engine.Engine) Finding {
	switch {
	case e.NetworkTrouble != nil:
		return warnedOf(e.NetworkTrouble, "%v", e.NetworkTrouble)
	case e.Network == engine.NetworkBridge:
		return Fine("RUN steps have a network of their own: other hosts, but not this one nor link-local addresses")
	case e.Network == engine.NetworkHost:
		return Fine("RUN steps have this host's network, as --engine-network says")
	default:
		return Unchecked("", "the engine is not a managed one: its configuration says what RUN steps reach")
	}
}
