package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"slipway/internal/fault"
)

// poolSeparator stands between the addresses of a pool.
const poolSeparator = "|"

// buildkitHost is a variable that buildctl reads too. It names one engine.
const buildkitHost = "BUILDKIT_HOST"

// members are the engines of a pool; of anything else, the candidate itself.
func (p candidate) members() ([]candidate, error) {
	parts := strings.Split(p.Address, poolSeparator)
	if len(parts) == 1 {
		p.Address = resolveAlias(p.Address)
		return []candidate{p}, nil
	}
	if p.AddressFrom == buildkitHost {
		return nil, badAddress(p.AddressFrom, "name a pool on the command line", "has the address of one engine, and %q is a pool", shown(p.Address))
	}
	var out []candidate
	for _, address := range parts {
		one := p
		one.Address, one.pooled = resolveAlias(strings.TrimSpace(address)), true
		if err := one.checkMember(p.Address, out); err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// checkMember refuses an engine that cannot be in a pool together with others.
func (p candidate) checkMember(pool string, others []candidate) error {
	const remedy = "write addresses with | between them: tcp://a:1234|tcp://b:1234"
	kind, word := p.kind()
	same := func(o candidate) bool { return shown(o.Address) == shown(p.Address) }
	switch {
	case p.Address == "":
		return badAddress(p.AddressFrom, remedy, "the pool %q has an empty address", shown(pool))
	case word:
		return badAddress(p.AddressFrom, remedy, "%s cannot be in a pool, which has addresses only", kind)
	case slices.ContainsFunc(others, same):
		return badAddress(p.AddressFrom, "name each engine once", "%s is twice in one pool", shown(p.Address))
	default:
		return nil
	}
}

// pool is the engines of one platform.
type pool []candidate

// pools groups candidates, of which those of one pool stand together.
func pools(places []candidate) []pool {
	var out []pool
	for i, p := range places {
		if i > 0 && p.platform == places[i-1].platform {
			out[len(out)-1] = append(out[len(out)-1], p)
		} else {
			out = append(out, pool{p})
		}
	}
	return out
}

// poolGrace is how long the engines of a pool have to answer after the first one has.
const poolGrace = 2 * time.Second

// errGrace is the cause if that time is over.
var errGrace = fmt.Errorf("no answer within %s after another engine of the pool", poolGrace)

// answers are the engines of a pool that answered, and the errors of the others.
type answers struct {
	found  []*Engine
	silent []*SilentError
}

// find returns the engines that answer, which are all asked at the same time.
func (p pool) find(ctx context.Context) (answers, error) {
	if len(p) == 1 {
		e, err := p[0].find(ctx)
		if err != nil {
			return answers{}, err
		}
		return answers{found: []*Engine{e}}, nil
	}
	all, errs := p.ask(ctx)
	out := answers{found: slices.DeleteFunc(all, func(e *Engine) bool { return e == nil })}
	var err error
	if out.silent, err = judge(out.found, errs); err != nil {
		_ = closeAll(context.WithoutCancel(ctx), out.found) // they were asked, and that is all
		return answers{}, err
	}
	return out, nil
}

// ask asks all engines, until each has answered or the first one's answer is poolGrace
// ago.
func (p pool) ask(ctx context.Context) ([]*Engine, []error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	engines, errs := make([]*Engine, len(p)), make([]error, len(p))
	done := make(chan int)
	for i, one := range p {
		go func() {
			engines[i], errs[i] = one.find(ctx)
			done <- i
		}()
	}
	var grace <-chan time.Time
	for left := len(p); left > 0; {
		select {
		case i := <-done:
			left--
			if engines[i] != nil && grace == nil {
				grace = time.After(poolGrace)
			}
		case <-grace:
			cancel(errGrace)
		}
	}
	return engines, errs
}

// judge returns the errors of the engines that did not answer. It returns an error if the
// others cannot do the build, or if there are none.
func judge(found []*Engine, errs []error) ([]*SilentError, error) {
	none := &NotFoundError{}
	for _, err := range errs {
		var silent *NotFoundError
		switch {
		case err == nil:
		case errors.As(err, &silent):
			none.Tried, none.Causes = append(none.Tried, silent.Tried...), append(none.Causes, silent.Causes...)
		default:
			return nil, err
		}
	}
	if len(found) == 0 {
		return nil, none
	}
	var out []*SilentError
	for _, cause := range none.Causes {
		var silent *SilentError
		if errors.As(cause, &silent) {
			out = append(out, silent)
		}
	}
	return out, checkAlike(found)
}

// checkAlike refuses a pool whose engines build for different platforms, unless the
// address names the platform.
func checkAlike(engines []*Engine) error {
	first := engines[0]
	for _, e := range engines[1:] {
		if e.Platform == "" && e.native() != first.native() {
			return &MixedError{first, e}
		}
	}
	return nil
}

// native is the platform that the engine builds for if none is named.
func (e *Engine) native() string {
	if len(e.Platforms) == 0 {
		return ""
	}
	return e.Platforms[0]
}

// MixedError is a pool whose engines build for different platforms. Nothing was built.
type MixedError struct{ One, Other *Engine }

// Error names both platforms.
func (e *MixedError) Error() string {
	return fmt.Sprintf("the engines of a pool build for different platforms: %s for %s, %s for %s", e.One.Address, e.One.native(), e.Other.Address, e.Other.native())
}

// Kind returns fault.Usage.
func (e *MixedError) Kind() fault.Kind { return fault.Usage }

// Order sorts the addresses of a pool for a component: the first engine that is there
// builds it. Each component has an order of its own, which stays (rendezvous hashing,
// also called highest random weight): another engine in the pool takes a part of the
// components from each of the others, and nothing else moves.
func Order(component string, addresses []string) []string {
	out := slices.Clone(addresses)
	slices.SortFunc(out, func(a, b string) int {
		return cmp.Or(cmp.Compare(weight(component, b), weight(component, a)), strings.Compare(a, b))
	})
	return out
}

// weight is a number that looks random, and is always the same for both.
func weight(component, address string) uint64 {
	sum := sha256.Sum256([]byte(component + "\x00" + address))
	return binary.BigEndian.Uint64(sum[:])
}

// Pools returns the addresses of each pool by its platform, which is empty where none is
// named. There are none for addresses that are not valid.
func (o Options) Pools() map[string][]string {
	places, err := o.split()
	if err != nil {
		return nil
	}
	out := map[string][]string{}
	for _, p := range places {
		if p.pooled {
			out[p.platform] = append(out[p.platform], shown(p.Address))
		}
	}
	return out
}
