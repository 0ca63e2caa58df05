package engine

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"strings"
)

// stubResolver is the address of systemd-resolved. BuildKit gives bridged steps
// the resolvers behind it instead.
const stubResolver = "127.0.0.53"

// resolverReachable refuses a host whose resolvers listen on its loopback only:
// RUN steps do not reach that, and BuildKit would give them Google's 8.8.8.8, to
// which the names of a private network mean nothing. The rules are those of
// executor/oci/resolvconf.go of BuildKit v0.34.2.
func resolverReachable(path, behindStub string) error {
	servers := nameservers(path)
	if len(servers) == 1 && servers[0].String() == stubResolver {
		path, servers = behindStub, nameservers(behindStub)
	}
	for _, s := range servers {
		if !s.IsLoopback() && s.Is4() {
			return nil
		}
	}
	if len(servers) == 0 && path != behindStub {
		return nil // the host resolves no names either
	}
	return noBridge("name a resolver in /etc/resolv.conf that other hosts reach", "the resolvers in %s listen on this host's loopback or at IPv6 addresses only", path)
}

// nameservers reads resolv.conf(5); what cannot be read has none.
func nameservers(path string) []netip.Addr {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var out []netip.Addr
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(fields[1]); err == nil {
			out = append(out, a.Unmap())
		}
	}
	return out
}

// hexAddr reads an IPv4 address as /proc/net prints it.
func hexAddr(s string) (netip.Addr, bool) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 4 {
		return netip.Addr{}, false
	}
	var out [4]byte
	binary.NativeEndian.PutUint32(out[:], binary.BigEndian.Uint32(b))
	return netip.AddrFrom4(out), true
}
