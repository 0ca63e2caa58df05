package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"slipway/internal/enginetest"
)

const (
	// poolServices is how many services the pool's project has, and poolDaemons how many
	// daemons the pool has.
	poolServices = 24
	poolDaemons  = 3
	// poolPause is how long each RUN waits, as for a download. The machine's cores are
	// shared by all daemons, so that more work would show how many cores there are.
	poolPause = "1s"
)

// pool builds many services on one daemon and on several, each of which builds one service
// at a time.
func (b *bench) pool(ctx context.Context) (rows []row, err error) {
	p, err := writePoolProject(ctx, filepath.Join(b.dir, "pool"))
	if err != nil {
		return nil, err
	}
	var engines []*enginetest.Engine
	defer func() {
		for _, e := range engines {
			err = errors.Join(err, e.Close())
		}
	}()
	for range poolDaemons {
		e, err := enginetest.Launch(ctx)
		if err != nil {
			return nil, err
		}
		engines = append(engines, e)
	}
	who := []pooled{{b, p, engines}, {b, p, engines[:1]}}
	var entries []entry
	for _, c := range who {
		entries = append(entries, c.cold())
	}
	samples, err := interleave(ctx, b.runs, entries, b.tell("24 services, cold"))
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("cold build of %d services, one at a time on each of %d daemons", poolServices, poolDaemons)
	return []row{ratioRow(what, median(walls(samples[0])), who[1].name(), median(walls(samples[1])), 0)}, nil
}

// writePoolProject writes a project of many small services.
func writePoolProject(ctx context.Context, dir string) (project, error) {
	p := project{dir: dir}
	compose := "services:\n"
	for i := 1; i <= poolServices; i++ {
		name := fmt.Sprintf("s%02d", i)
		p.services = append(p.services, name)
		compose += fmt.Sprintf("  %s:\n    build:\n      context: ./%s\n      additional_contexts: {%s: ./%s}\n", name, name, toolContext, toolContext)
		dockerfile := fmt.Sprintf("FROM scratch\nCOPY --from=%s tool /tool\nCOPY . /src\nRUN [\"/tool\", \"-seed=%d\", \"-files=1\", \"-work=1\", \"-pause=%s\"]\n", toolContext, i, poolPause)
		if err := writeService(filepath.Join(dir, name), dockerfile, sourceFiles); err != nil {
			return p, err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "compose.yaml"), []byte(compose), 0o644); err != nil {
		return p, err
	}
	return p, compileTool(ctx, filepath.Join(dir, toolContext, "tool"))
}

// pooled is Slipway on some daemons, each limited to one service at a time.
type pooled struct {
	*bench
	project project
	engines []*enginetest.Engine
}

func (p pooled) name() string {
	if len(p.engines) == 1 {
		return "one daemon"
	}
	return fmt.Sprintf("%d daemons", len(p.engines))
}

func (p pooled) build(ctx context.Context, j job) (usage, error) {
	var addresses []string
	for _, e := range p.engines {
		addresses = append(addresses, e.Addr)
	}
	cmd := exec.CommandContext(ctx, p.slipwayBin, "build", "--project-name", j.prefix, "--hash", j.tag, "--jobs", "1", "--engine", strings.Join(addresses, "|"))
	cmd.Dir, cmd.Env = p.project.dir, p.stand.environ()
	err := quietly(cmd)
	return usage{peak: peakMemory(cmd.ProcessState)}, err
}

// cold is a build on emptied daemons into empty repositories.
func (p pooled) cold() entry {
	prefix := func(round int) string { return fmt.Sprintf("pool-%d-%d", len(p.engines), round) }
	return entry{
		contestant: p,
		prepare: func(ctx context.Context, round int) error {
			errs := []error{p.stand.createRepositories(ctx, prefix(round), p.project.services)}
			for _, e := range p.engines {
				errs = append(errs, e.Renew(ctx))
			}
			return errors.Join(errs...)
		},
		job:   func(round int) job { return job{prefix: prefix(round), tag: "one"} },
		check: p.complete,
	}
}

// complete returns an error unless each repository has the tag.
func (p pooled) complete(ctx context.Context, j job) error {
	for _, name := range p.project.services {
		_, err := p.stand.ecr.DescribeImages(ctx, &ecr.DescribeImagesInput{
			RepositoryName: aws.String(j.prefix + "/" + name),
			ImageIds:       []ecrtypes.ImageIdentifier{{ImageTag: aws.String(j.tag)}},
		})
		if err != nil {
			return err
		}
	}
	return nil
}
