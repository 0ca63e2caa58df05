package inputs

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/moby/buildkit/solver/pb"

	"slipway/internal/safegit"
)

// commitID is a whole commit id: what it names never changes.
var commitID = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)

// git notes the commit that a git source names.
func (c *component) git(ctx context.Context, s source) error {
	_, fragment, _ := strings.Cut(s.name, "#")
	ref, _, _ := strings.Cut(fragment, ":")
	if commitID.MatchString(ref) || s.attrs[pb.AttrGitChecksum] != "" {
		return nil // the commit is one of the steps
	}
	remote := s.attrs[pb.AttrFullRemoteURL]
	commit, err := c.sources.Commit(ctx, remote, ref)
	if err != nil {
		return fmt.Errorf("the commit of %s is not known: %w", s.name, err)
	}
	c.note(c.inputs.Commits, s.name, commit)
	return nil
}

// Commit asks a git server which commit a reference names, without a login; an
// empty reference is HEAD. An address with a login is refused: git would show it in
// the list of processes. Where the reference has several objects, as an
// annotated tag has, the result is a checksum of them.
func Commit(ctx context.Context, remote, ref string) (string, error) {
	if ref == "" {
		ref = "HEAD"
	}
	if u, err := url.Parse(remote); err != nil || u.User != nil {
		return "", errors.New("its address has a login, or cannot be read")
	}
	out, err := safegit.LsRemote(ctx, remote, ref)
	if err != nil {
		return "", err
	}
	out = strings.TrimSpace(out)
	if id, _, _ := strings.Cut(out, "\t"); commitID.MatchString(id) && !strings.Contains(out, "\n") {
		return id, nil
	}
	return checksum(out), nil
}
