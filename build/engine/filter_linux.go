package engine

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// packetFilter is the iptables command of this host, whichever kernel interface
// it uses. Docker and CNI plugins set their rules with it too, so that one table
// decides: a rule of nftables alone could not allow what Docker's policy drops.
type packetFilter struct{ iptables, restore string }

const filterRemedy = "install iptables (apt-get install iptables, dnf install iptables-nft)"

// systemDirs are where iptables is, also for a PATH without them.
var systemDirs = []string{"/usr/sbin", "/sbin"}

func findFilter() (*packetFilter, error) {
	f := &packetFilter{iptables: lookPath("iptables", systemDirs...), restore: lookPath("iptables-restore", systemDirs...)}
	if f.iptables == "" || f.restore == "" {
		return nil, noBridge(filterRemedy, "iptables is missing")
	}
	return f, nil
}

// lookPath finds a program in PATH or in one of the directories; empty where it
// is in none.
func lookPath(name string, dirs ...string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range dirs {
		if path := filepath.Join(dir, name); isExecutable(path) {
			return path
		}
	}
	return ""
}

// jump sends packets to a chain of ours.
type jump struct {
	table, chain, match, to string
}

func jumps(link string) []jump {
	name := strings.ToUpper(link)
	return []jump{
		{"filter", "FORWARD", "-i " + link, name + "-OUT"},
		{"filter", "FORWARD", "-o " + link, name + "-BACK"},
		{"filter", "INPUT", "-i " + link, name + "-HOST"},
		{"nat", "POSTROUTING", "", name + "-NAT"},
	}
}

// rules is the packet filter's part of the network, as iptables-restore reads
// it. Steps may open connections to other hosts, and none may be opened to them.
// They do not reach this host, nor the link-local addresses (RFC 3927), at which
// AWS serves credentials:
// 169.254.170.2 (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html),
// 169.254.170.23 (https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html) and
// 169.254.169.254 (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html).
// Names are resolved wherever the resolver is: this host, or 169.254.169.253
// (https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html).
//
// A detached network is not this host's own, and would reach its addresses as
// those of others: these are refused.
func rules(link string, net subnet, refused []string) string {
	name := strings.ToUpper(link)
	filter := []string{
		"-A " + name + "-OUT -p udp --dport 53 -j ACCEPT",
		"-A " + name + "-OUT -p tcp --dport 53 -j ACCEPT",
	}
	for _, a := range append([]string{"169.254.0.0/16"}, refused...) {
		filter = append(filter, "-A "+name+"-OUT -d "+a+" -j REJECT")
	}
	filter = append(filter,
		"-A "+name+"-OUT -j ACCEPT",
		"-A "+name+"-BACK -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
		"-A "+name+"-BACK -j REJECT",
		"-A "+name+"-HOST -p udp --dport 53 -j ACCEPT",
		"-A "+name+"-HOST -p tcp --dport 53 -j ACCEPT",
		"-A "+name+"-HOST -j REJECT",
	)
	nat := []string{"-A " + name + "-NAT -s " + net.String() + " ! -o " + link + " -j MASQUERADE"}
	return table("filter", link, filter) + table("nat", link, nat)
}

// table is one table's rules with its chains and the jumps to them.
func table(name, link string, rules []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%s\n", name)
	for _, j := range jumps(link) {
		if j.table == name {
			fmt.Fprintf(&b, ":%s - [0:0]\n", j.to)
		}
	}
	fmt.Fprintln(&b, strings.Join(rules, "\n"))
	for _, j := range jumps(link) {
		if j.table == name {
			fmt.Fprintf(&b, "-I %s 1 %s -j %s\n", j.chain, j.match, j.to)
		}
	}
	fmt.Fprintln(&b, "COMMIT")
	return b.String()
}

// unruled removes what table adds. Naming a chain empties it.
func unruled(name, link string) string {
	var chains, deletions strings.Builder
	for _, j := range jumps(link) {
		if j.table == name {
			fmt.Fprintf(&chains, ":%s - [0:0]\n", j.to)
			fmt.Fprintf(&deletions, "-D %s %s -j %s\n-X %s\n", j.chain, j.match, j.to, j.to)
		}
	}
	return "*" + name + "\n" + chains.String() + deletions.String() + "COMMIT\n"
}

func (f *packetFilter) apply(ctx context.Context, link string, net subnet, refused []string) error {
	return f.run(ctx, f.restore, rules(link, net, refused), "--noflush", "--wait")
}

// remove takes the jumps and chains away, all at once where all are there, else
// each that is there.
func (f *packetFilter) remove(ctx context.Context, link string) {
	if f.run(ctx, f.restore, unruled("filter", link)+unruled("nat", link), "--noflush", "--wait") == nil {
		return
	}
	for _, j := range jumps(link) {
		command := append([]string{"--wait", "-t", j.table, "-D", j.chain}, strings.Fields(j.match)...)
		_ = f.run(ctx, f.iptables, "", append(command, "-j", j.to)...)
		_ = f.run(ctx, f.iptables, "", "--wait", "-t", j.table, "-F", j.to)
		_ = f.run(ctx, f.iptables, "", "--wait", "-t", j.table, "-X", j.to)
	}
}

func (f *packetFilter) run(ctx context.Context, program, input string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = cleanEnvironment()
	cmd.Stdin = strings.NewReader(input)
	var out tail
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, bytes.TrimSpace(out.data))
	}
	return nil
}

// cleanEnvironment is that of the programs that make the network.
func cleanEnvironment() []string {
	return []string{"PATH=" + strings.Join(slices.Concat(systemDirs, []string{"/usr/bin", "/bin"}), ":"), "LC_ALL=C"}
}

// tail keeps the end of the text that is written to it.
type tail struct{ data []byte }

// tailSize is the number of bytes that a tail keeps.
const tailSize = 2 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p[max(0, len(p)-tailSize):]...)
	t.data = t.data[max(0, len(t.data)-tailSize):]
	return len(p), nil
}
