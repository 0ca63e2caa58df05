package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// subnet is a /22: room for a thousand RUN steps at once.
type subnet struct{ netip.Prefix }

const subnetBits = 22

// candidates are where a subnet may be: 198.18.0.0/16, the first half of what
// RFC 2544 reserves for measurements. No VPC or office network should be there,
// while each range of RFC 1918 is somebody's; a host cannot see all of a VPC in
// its own routes. AWS uses the second half, 198.19.0.0/16
// (https://docs.aws.amazon.com/appstream2/latest/developerguide/management_ports.html).
var candidates = netip.MustParsePrefix("198.18.0.0/16")

// gateway is the first address, the bridge's own.
func (s subnet) gateway() netip.Addr { return s.Addr().Next() }

// mask is the netmask in the order of the bytes on the wire.
func (s subnet) mask() []byte { return net.CIDRMask(s.Bits(), 32) }

// freeSubnet is the first candidate that no address or route of this host uses,
// nor what is taken besides.
func freeSubnet(taken ...netip.Prefix) (subnet, error) {
	used, err := usedPrefixes()
	if err != nil {
		return subnet{}, err
	}
	s, ok := firstFree(append(used, taken...))
	if !ok {
		return subnet{}, fmt.Errorf("no part of %s is free", candidates)
	}
	return s, nil
}

func firstFree(used []netip.Prefix) (subnet, bool) {
	for at := candidates.Addr(); candidates.Contains(at); {
		s := subnet{netip.PrefixFrom(at, subnetBits)}
		if !overlaps(s.Prefix, used) {
			return s, true
		}
		b := at.As4()
		next := (uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])) + 1<<(32-subnetBits)
		at = netip.AddrFrom4([4]byte{byte(next >> 24), byte(next >> 16), byte(next >> 8), byte(next)})
	}
	return subnet{}, false
}

func overlaps(p netip.Prefix, used []netip.Prefix) bool {
	for _, u := range used {
		if p.Overlaps(u) {
			return true
		}
	}
	return false
}

// usedPrefixes are the networks that this host has addresses in or routes to,
// the default route apart.
func usedPrefixes() ([]netip.Prefix, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var out []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, p.Masked())
		}
	}
	routes, err := os.ReadFile("/proc/net/route")
	if err != nil {
		return nil, err
	}
	return append(out, routePrefixes(string(routes))...), nil
}

// routePrefixes reads /proc/net/route (proc_net(5)): numbers in hexadecimal, in
// this machine's order of bytes.
func routePrefixes(table string) []netip.Prefix {
	var out []netip.Prefix
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 8 {
			continue
		}
		destination, ok1 := hexAddr(fields[1])
		mask, ok2 := hexAddr(fields[7])
		if !ok1 || !ok2 {
			continue // the heading
		}
		b := mask.As4()
		if ones, _ := net.IPMask(b[:]).Size(); ones > 0 {
			out = append(out, netip.PrefixFrom(destination, ones).Masked())
		}
	}
	return out
}

// makeLink makes a bridge that has the subnet's first address and no IPv6.
func makeLink(name string, s subnet) error {
	socket, err := controlSocket()
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	if err := control(socket, unix.SIOCBRADDBR, name, nil); err != nil {
		return err
	}
	err = os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0o644)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a kernel without IPv6 has no such file
		return err
	}
	if err := control(socket, unix.SIOCSIFADDR, name, address(s.gateway().AsSlice())); err != nil {
		return err
	}
	if err := control(socket, unix.SIOCSIFNETMASK, name, address(s.mask())); err != nil {
		return err
	}
	return control(socket, unix.SIOCSIFFLAGS, name, flags(unix.IFF_UP))
}

func removeLink(name string) error {
	socket, err := controlSocket()
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	if err := control(socket, unix.SIOCSIFFLAGS, name, flags(0)); err != nil {
		return err
	}
	return control(socket, unix.SIOCBRDELBR, name, nil)
}

func hasLink(name string) bool {
	_, err := net.InterfaceByName(name)
	return err == nil
}

func controlSocket() (int, error) {
	return unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
}

// control is one request of netdevice(7) about an interface.
func control(socket int, request uint, name string, fill func(*unix.Ifreq) error) error {
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if fill != nil {
		if err := fill(r); err != nil {
			return err
		}
	}
	return unix.IoctlIfreq(socket, request, r)
}

func address(a []byte) func(*unix.Ifreq) error {
	return func(r *unix.Ifreq) error { return r.SetInet4Addr(a) }
}

func flags(f uint16) func(*unix.Ifreq) error {
	return func(r *unix.Ifreq) error { r.SetUint16(f); return nil }
}
