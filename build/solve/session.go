package solve

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	contentlocal "github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/docker/cli/cli/config/types"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth"
	"github.com/moby/buildkit/session/auth/authprovider"
	"github.com/moby/buildkit/session/filesync"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"github.com/moby/buildkit/session/sshforward/sshprovider"
	"github.com/tonistiigi/fsutil"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	// BuildKit's codec, as its own clients register it. The one of gRPC refuses strings
	// that are not UTF-8, which file names may be.
	_ "github.com/moby/buildkit/util/grpcutil/encoding/proto"

	"slipway/build/localfs"
	"slipway/build/target"
	"slipway/internal/fault"
)

// sources runs one session for each distinct local directory, shared by all solves.
//
// The Dockerfile frontend calls every main context "context", so one session cannot
// serve two directories; and a directory behind two sessions would be sent twice. One
// session per directory, named to each solve by local-sessionid, is both right and
// cheap: the daemon sees equal vertices and syncs the directory once.
//
// Frontends older than July 2024 (BuildKit v0.16, docker/dockerfile:1.10), those of older
// engines and those that a Dockerfile pins with # syntax, do not know local-sessionid.
// For them each solve's own session offers the same sources under the frontend's names.
type sources struct {
	ids     map[string]string
	trees   map[string]fsutil.FS
	running *errgroup.Group
	open    []*session.Session
}

// named are the target's sources by the names that the frontend gives them.
func (s *sources) named(t target.Target) filesync.StaticDirSource {
	out := filesync.StaticDirSource{}
	for name, key := range t.SessionKeys() {
		out[name] = s.trees[key]
	}
	return out
}

// covers reports whether there are sessions for all that a target reads.
func (s *sources) covers(t target.Target) bool {
	for _, key := range t.SessionKeys() {
		if _, ok := s.ids[key]; !ok {
			return false
		}
	}
	return true
}

// openSources starts the sessions. They run until close, even when ctx is cancelled,
// since cancelled solves still want to end in order.
func openSources(ctx context.Context, dial session.Dialer, targets []target.Target, o RunOptions) (*sources, error) {
	s := &sources{ids: map[string]string{}, trees: map[string]fsutil.FS{}, running: &errgroup.Group{}}
	ctx = context.WithoutCancel(ctx)
	for _, dir := range target.Dirs(targets) {
		tree, err := localfs.Shared(dir, o.Own)
		if err != nil {
			s.close()
			return nil, fmt.Errorf("reading %s: %w", dir, err)
		}
		if o.Sum != nil {
			tree = localfs.Timed(tree, dir, o.Sum)
		}
		if err := s.serve(ctx, dial, dir, sharedKey(o.Namespace, dir), tree); err != nil {
			s.close()
			return nil, err
		}
	}
	for _, t := range targets {
		if t.DockerfileInline == "" {
			continue
		}
		if err := s.serve(ctx, dial, t.InlineKey(), sharedKey(o.Namespace, t.DockerfileInline), t.InlineTree()); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

func (s *sources) serve(ctx context.Context, dial session.Dialer, key, shared string, tree fsutil.FS) error {
	one, err := session.NewSession(ctx, shared)
	if err != nil {
		return fmt.Errorf("opening a session for %s: %w", key, err)
	}
	one.Allow(filesync.NewFSSyncProvider(anyName{tree}))
	s.ids[key], s.trees[key], s.open = one.ID(), tree, append(s.open, one)
	s.running.Go(func() error { return one.Run(ctx, dial) })
	return nil
}

func (s *sources) close() {
	for _, one := range s.open {
		one.Close()
	}
	// The sessions end because they were closed: their errors say nothing new.
	_ = s.running.Wait()
}

// anyName answers every name with the same tree.
type anyName struct{ tree fsutil.FS }

func (a anyName) LookupDir(string) (fsutil.FS, bool) { return a.tree, true }

// sharedKey lets the daemon find what it received of the same source in an earlier run
// and ask for the difference only. It is identified by namespace, host and path: the
// daemon takes a file of the same size and time for the same file.
func sharedKey(namespace, source string) string {
	host, _ := os.Hostname()
	if namespace != "" {
		host += "\x00" + namespace
	}
	sum := sha256.Sum256([]byte(host + "\x00" + source))
	return hex.EncodeToString(sum[:16])
}

// AuthFunc gives the credentials for a registry host; the zero value means anonymous.
type AuthFunc func(ctx context.Context, host string) (types.AuthConfig, error)

// attachables returns the services of a target's own session: its secrets and
// agents, which no other target can ask for, and the registry credentials.
func attachables(t target.Target, login AuthFunc, known func(string)) ([]session.Attachable, error) {
	out := []session.Attachable{newAuth(login)}
	if len(t.Secrets) > 0 {
		s, err := secretProvider(t, known)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	if len(t.SSH) > 0 {
		var agents []sshprovider.AgentConfig
		for _, k := range t.SSH {
			agents = append(agents, sshprovider.AgentConfig{ID: k.ID, Paths: []string{k.Path}})
		}
		p, err := sshprovider.NewSSHAgentProvider(agents)
		if err != nil {
			return nil, fault.NewInput("services."+t.Service+".build.ssh", err.Error(), "check the agent's socket or the key file")
		}
		out = append(out, p)
	}
	return out, nil
}

// secretProvider serves the target's secrets. It calls known, if set, with each value.
func secretProvider(t target.Target, known func(string)) (session.Attachable, error) {
	values, err := t.SecretValues()
	if err != nil {
		return nil, err
	}
	for _, value := range values {
		if known != nil {
			known(string(value))
		}
	}
	return secretsprovider.FromMap(values), nil
}

// stores opens the OCI layouts that the target's contexts read, by store id.
func stores(t target.Target) (map[string]content.Store, error) {
	var out map[string]content.Store
	for name, c := range t.Contexts {
		if c.OCILayout == "" {
			continue
		}
		store, err := contentlocal.NewStore(filepath.Clean(c.OCILayout))
		if err != nil {
			return nil, fault.NewInput("services."+t.Service+".build.additional_contexts."+name, err.Error(), "name a directory in the OCI image layout")
		}
		if out == nil {
			out = map[string]content.Store{}
		}
		out[target.StoreID(name)] = store
	}
	return out, nil
}

// newAuth is BuildKit's own credential provider without its client-side token seeds,
// which it would write into the docker config directory: nothing of a login is to
// touch the disk.
func newAuth(login AuthFunc) session.Attachable {
	inner := authprovider.NewDockerAuthProvider(authprovider.DockerAuthProviderConfig{
		AuthConfigProvider: func(ctx context.Context, host string, _ []string, _ authprovider.ExpireCachedAuthCheck) (types.AuthConfig, error) {
			return login(ctx, host)
		},
		ExpireCachedAuth: func(time.Time, string) bool { return true }, // the login caches and renews
	})
	server, ok := inner.(auth.AuthServer)
	if !ok {
		return inner
	}
	return seedless{server, login}
}

type seedless struct {
	auth.AuthServer
	login AuthFunc
}

func (s seedless) Register(server *grpc.Server) { auth.RegisterAuthServer(server, s) }

// GetTokenAuthority declines, whereupon the daemon asks FetchToken or Credentials.
func (seedless) GetTokenAuthority(context.Context, *auth.GetTokenAuthorityRequest) (*auth.GetTokenAuthorityResponse, error) {
	return nil, status.Error(codes.Unavailable, "no client-side tokens")
}
