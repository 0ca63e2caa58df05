package engine_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"

	"slipway/build/engine"
	"slipway/internal/enginetest"
	"slipway/internal/testkit"
)

// names are n names that begin alike.
func names(begin string, n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("%s%d", begin, i))
	}
	return out
}

// assign returns the first engine of each component.
func assign(components, addresses []string) map[string]string {
	out := map[string]string{}
	for _, c := range components {
		out[c] = engine.Order(c, addresses)[0]
	}
	return out
}

// Another engine takes its share of the components, and no component moves between the
// others. Without it, they are where they were.
func TestOrderMovesNoMoreThanItMust(t *testing.T) {
	t.Parallel()
	const count = 3000
	components := names("shop/service- service- ", count)
	for _, n := range []int{1, 2, 3, 7} {
		addresses := names("tcp://builder:", n)
		added := "tcp://new:1"
		before, after := assign(components, addresses), assign(components, append(slices.Clone(addresses), added))
		moved := 0
		for _, c := range components {
			if before[c] == after[c] {
				continue
			}
			moved++
			if after[c] != added {
				t.Fatalf("with %d engines and a new one, %q moved from %s to %s", n, c, before[c], after[c])
			}
		}
		share := count / (n + 1)
		if moved < share*8/10 || moved > share*12/10 {
			t.Errorf("a new engine in addition to %d took %d of %d components, want about %d", n, moved, count, share)
		}
	}
}

// Every engine has about the same number of components, also if their names differ little.
func TestOrderIsEven(t *testing.T) {
	t.Parallel()
	const count, engines = 3000, 3
	held := map[string]int{}
	for _, address := range assign(names("shop/a a linux/amd64", count), names("unix:///run/engine", engines)) {
		held[address]++
	}
	for address, n := range held {
		if n < count/engines*8/10 || n > count/engines*12/10 {
			t.Errorf("%s has %d of %d components, want about %d", address, n, count, count/engines)
		}
	}
}

// The components of a lost engine are shared by the others: they do not all go to one.
func TestOrderSharesTheComponentsOfALostEngine(t *testing.T) {
	t.Parallel()
	addresses := names("tcp://builder:", 4)
	next := map[string]int{}
	for _, c := range names("c", 2000) {
		if order := engine.Order(c, addresses); order[0] == addresses[0] {
			next[order[1]]++
		}
	}
	if len(next) != 3 {
		t.Fatalf("the components of %s go to %v, want to each of the three others", addresses[0], next)
	}
	for address, n := range next {
		if n < 100 || n > 240 {
			t.Errorf("%s takes over %d components, want about 166", address, n)
		}
	}
}

// The order goes by the addresses, not by their place in the list, and is the same with
// every version of Slipway: the layers of components are where they were.
func TestOrderStays(t *testing.T) {
	t.Parallel()
	want := []string{"tcp://c:1", "tcp://b:1", "tcp://a:1"}
	for _, addresses := range [][]string{{"tcp://a:1", "tcp://b:1", "tcp://c:1"}, {"tcp://c:1", "tcp://b:1", "tcp://a:1"}} {
		before := slices.Clone(addresses)
		if got := engine.Order("shop/api api ", addresses); !slices.Equal(got, want) {
			t.Errorf("Order of %q = %q, want %q", addresses, got, want)
		}
		if !slices.Equal(addresses, before) {
			t.Errorf("Order changed its argument to %q", addresses)
		}
	}
}

func TestPools(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]map[string][]string{
		"":                    {},
		"tcp://a:1":           {},
		"linux/amd64=docker":  {},
		"a||b":                {},
		"tcp://a:1|tcp://b:1": {"": {"tcp://a:1", "tcp://b:1"}},
		"linux/amd64=tcp://u:x@a:1|tcp://b:1,linux/arm64=tcp://c:1": {"linux/amd64": {"tcp://u:REDACTED@a:1", "tcp://b:1"}},
	} {
		if got := (engine.Options{Address: address}).Pools(); !maps.EqualFunc(got, want, slices.Equal) {
			t.Errorf("Pools of %s = %q, want %q", address, got, want)
		}
	}
}

// An engine that does not answer is left out, with its reason.
func TestFindPool(t *testing.T) {
	e := enginetest.Shared(t)
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go testkit.Accept(l, func(conn net.Conn) { io.Copy(io.Discard, conn) })
	silent := "tcp://" + l.Addr().String()
	absent := "unix://" + t.TempDir() + "/none.sock"
	var said []string
	o := engine.Options{
		Address: silent + "|" + e.Addr + "|" + absent, AddressFrom: "--engine",
		Silent: func(err *engine.SilentError) { said = append(said, err.Error()) },
	}
	engines, err := engine.Find(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(engines) != 1 || engines[0].Address != e.Addr || engines[0].Watch == nil {
		t.Fatalf("Find = %v, want the one that answers, watched", engines)
	}
	defer engines[0].Close(t.Context())
	want := []string{
		"--engine: no engine answers at " + silent + ": no answer within 2s after another engine of the pool",
		"--engine: no engine answers at " + absent + ": ",
	}
	if len(said) != 2 || said[0] != want[0] || !strings.HasPrefix(said[1], want[1]) || said[1] == want[1] {
		t.Errorf("silent engines: %q, want %q", said, want)
	}
}

func TestFindPoolThatIsGone(t *testing.T) {
	t.Parallel()
	one, other := "unix://"+t.TempDir()+"/one.sock", "unix://"+t.TempDir()+"/other.sock"
	_, err := engine.Find(t.Context(), engine.Options{Address: one + "|" + other, AddressFrom: "--engine", Silent: func(err *engine.SilentError) {
		t.Errorf("%v was reported together with the error", err)
	}})
	var none *engine.NotFoundError
	if !errors.As(err, &none) || len(none.Causes) != 2 {
		t.Fatalf("Find = %v, want a *NotFoundError with two causes", err)
	}
	for _, address := range []string{one, other} {
		if !strings.Contains(err.Error(), "no engine answers at "+address+": ") {
			t.Errorf("Find = %v, want what the engine at %s said", err, address)
		}
	}
}
