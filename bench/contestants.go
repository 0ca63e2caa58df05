package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/docker/cli/cli/config/types"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth/authprovider"
	"github.com/tonistiigi/fsutil"
	"golang.org/x/sync/errgroup"
)

// cacheTag is where Slipway keeps the layer cache of a repository.
const cacheTag = "buildcache"

// slipway is the program as users call it, with nothing set but what names the
// build, or what more says. engine is the address of another engine than the
// others', if it is not empty.
type slipway struct {
	*bench
	more   []string
	engine string
}

func (slipway) name() string { return "slipway" }

func (s slipway) build(ctx context.Context, j job) (usage, error) {
	args := append([]string{"build", "--project-name", j.prefix, "--hash", j.tag}, s.more...)
	cmd := exec.CommandContext(ctx, s.slipwayBin, args...)
	cmd.Dir, cmd.Env = s.project.dir, s.stand.environ("BUILDKIT_HOST="+cmp.Or(s.engine, s.stand.engine.Addr))
	err := quietly(cmd)
	return usage{peak: peakMemory(cmd.ProcessState)}, err
}

// bake is buildx bake on the same daemon, with more flags if there are any.
type bake struct {
	*bench
	label string // "bake" if empty
	flags []string
}

func (b bake) name() string { return cmp.Or(b.label, "bake") }

const builder = "bench"

// deferOutput makes bake push nothing until all targets are built.
const deferOutput = "--jobs=defer-output"

func (b bake) environ() []string {
	return b.stand.environ(
		"BUILDX_CONFIG="+filepath.Join(b.dir, "buildx"),
		"BUILDX_NO_DEFAULT_ATTESTATIONS=1", // the others make none
		"BUILDX_GIT_INFO=0",                // nor do they look for git
	)
}

// createBuilder makes the daemon known to buildx.
func (b bake) createBuilder(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, b.buildxBin, "create", "--name", builder, "--driver", "remote", b.stand.engine.Addr)
	cmd.Env = b.environ()
	return quietly(cmd)
}

func (b bake) build(ctx context.Context, j job) (usage, error) {
	file := filepath.Join(b.dir, "bake.json")
	data, err := b.project.bakeFile(b.refs(j.prefix, j.tag), b.cachesOf(j, "bake"))
	if err != nil {
		return usage{}, err
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return usage{}, err
	}
	args := append([]string{"bake", "--builder", builder, "--push", "--file", file}, b.flags...)
	cmd := exec.CommandContext(ctx, b.buildxBin, args...)
	cmd.Dir, cmd.Env = b.project.dir, b.environ()
	err = quietly(cmd)
	return usage{peak: peakMemory(cmd.ProcessState)}, err
}

// bare is what cannot be saved: a solve for each service, all at once over one
// connection, each with a session of its own, in a process that runs already.
type bare struct{ *bench }

func (bare) name() string { return "bare solves" }

func (b bare) build(ctx context.Context, j job) (u usage, err error) {
	c, err := client.New(ctx, b.stand.engine.Addr)
	if err != nil {
		return u, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	refs, saved := b.refs(j.prefix, j.tag), b.cachesOf(j, "bare")
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range b.project.services {
		g.Go(func() error { return b.solve(ctx, c, s, refs[s], saved[s]) })
	}
	return u, g.Wait()
}

// solve builds a service, whose Dockerfile copies from the context tool if the
// project has one.
func (b bare) solve(ctx context.Context, c *client.Client, service, ref string, cache caches) error {
	dir, err := fsutil.NewFS(filepath.Join(b.project.dir, service))
	if err != nil {
		return err
	}
	opt := client.SolveOpt{
		Frontend:      "dockerfile.v0",
		FrontendAttrs: map[string]string{},
		LocalMounts:   map[string]fsutil.FS{"context": dir, "dockerfile": dir},
		SharedKey:     service, // send only what changed, as the others do
		Session:       []session.Attachable{b.stand.auth()},
		Exports: []client.ExportEntry{{Type: client.ExporterImage, Attrs: map[string]string{
			"name": ref, "push": "true", "oci-mediatypes": "true", "registry.insecure": "true",
		}}},
	}
	if tool, err := fsutil.NewFS(filepath.Join(b.project.dir, toolContext)); err == nil {
		opt.FrontendAttrs["context:"+toolContext], opt.LocalMounts[toolContext] = "local:"+toolContext, tool
	}
	if cache.from != "" {
		opt.CacheImports = []client.CacheOptionsEntry{{Type: "registry", Attrs: map[string]string{"ref": cache.from, "registry.insecure": "true"}}}
		opt.CacheExports = []client.CacheOptionsEntry{{Type: "registry", Attrs: map[string]string{
			"ref": cache.to, "registry.insecure": "true", "mode": "max", "image-manifest": "true", "oci-mediatypes": "true",
		}}}
	}
	if _, err := c.Solve(ctx, nil, opt, nil); err != nil {
		return fmt.Errorf("%s: %w", service, err)
	}
	return nil
}

// auth gives the engine the sandbox's login.
func (s *stand) auth() session.Attachable {
	return authprovider.NewDockerAuthProvider(authprovider.DockerAuthProviderConfig{
		AuthConfigProvider: func(context.Context, string, []string, authprovider.ExpireCachedAuthCheck) (types.AuthConfig, error) {
			return s.login, nil
		},
	})
}

// refs are the references that a build pushes to, by service.
func (b *bench) refs(prefix, tag string) map[string]string {
	out := map[string]string{}
	for _, s := range b.project.services {
		out[s] = b.stand.host + "/" + prefix + "/" + s + ":" + tag
	}
	return out
}

// caches are the references of a service's cache: the one to import and the one to write.
type caches struct{ from, to string }

// cachesOf returns the caches of a contestant by service. Each writes one of its own: all
// import the one that Slipway wrote.
func (b *bench) cachesOf(j job, contestant string) map[string]caches {
	if !j.cached {
		return nil
	}
	out := map[string]caches{}
	to := b.refs(j.prefix, cacheTag+"-"+contestant)
	for service, from := range b.refs(j.prefix, cacheTag) {
		out[service] = caches{from, to[service]}
	}
	return out
}

// quietly runs a command and tells what it said only when it fails.
func quietly(cmd *exec.Cmd) error {
	out, err := os.CreateTemp("", "bench-*.log")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	// Files, not pipes: nothing of this process then runs while the other is timed.
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(out.Name()) // the error is about the command
		return fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, said)
	}
	return nil
}
