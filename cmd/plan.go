package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/artifact"
	"slipway/build/revision"
	"slipway/build/solve"
	"slipway/buildspec"
	"slipway/internal/allow"
	"slipway/internal/fault"
	"slipway/project/compose"
	"slipway/registry"
	"slipway/rollout/ecs"
)

// plan is all that can be known without asking AWS or an engine.
type plan struct {
	project  string
	root     string
	settings compose.Settings
	env      buildspec.Env
	hash     revision.Hash
	services []service
	files    []definitionsFile
	// imageDetail is the path of imageDetail.json, if it was asked for.
	imageDetail string
	// site is where the project runs, without any ECS service if none is named.
	site *site
	// own are the absolute paths that the job writes.
	own      []string
	warnings []string
	// untrusted is why the build may write only names of its own.
	untrusted untrusted
}

// service is one service of the plan.
type service struct {
	target solve.Target
	// build tells whether the job builds it; otherwise its latest image gets the hash too.
	build bool
	repo  registry.Ref
	extra []string
}

// definitionsFile is one imagedefinitions.json: the containers of one ECS service.
type definitionsFile struct {
	path     string
	services []string
}

// targets are the services to build.
func (p *plan) targets() []solve.Target {
	var out []solve.Target
	for _, s := range p.services {
		if s.build {
			out = append(out, s.target)
		}
	}
	return out
}

// makePlan reads the project and decides everything that the files and the environment
// decide. It touches nothing.
func makePlan(ctx context.Context, w *world, o projectOptions) (*plan, error) {
	var p *plan
	var granted allow.Set
	project, err := loadAllowed(ctx, w, o, func(project *types.Project, wanted *allow.Wanted) (err error) {
		p = &plan{project: project.Name, root: project.WorkingDir, env: buildspec.FromEnv(w.lookupenv)}
		if p.settings, err = compose.ReadSettings(project); err != nil {
			return err
		}
		if err := p.addServices(project, w, o, wanted); err != nil {
			return err
		}
		if err := p.addFiles(w, o); err != nil {
			return err
		}
		p.distrust(o.trust)
		if err := p.checkCaches(); err != nil {
			return err
		}
		granted = wanted.Granted()
		return p.ask(w, o, project, wanted)
	})
	if err != nil {
		return nil, err
	}
	p.site = &site{flagged: len(o.ecs.services) > 0, given: true, granted: granted}
	if err := p.site.addProject(w, project, o.ecs); err != nil {
		return nil, err
	}
	if err := p.nameHash(ctx, o); err != nil {
		return nil, err
	}
	return p, p.finish()
}

func (p *plan) addServices(project *types.Project, w *world, o projectOptions, wanted *allow.Wanted) error {
	project, err := project.WithServicesEnabled(o.services...)
	if err != nil {
		return fault.NewInput(p.root, err.Error(), "name services of the compose file")
	}
	targets, warnings, err := solve.Targets(project, solve.Selection{Services: o.services, Wanted: wanted})
	if err != nil {
		return err
	}
	p.warnings = warnings
	compression, err := solve.ParseCompression(cmp.Or(o.compression, p.settings.Compression))
	if err != nil {
		return fault.NewInput("x-slipway.engine.compression", err.Error(), "use one of "+strings.Join(solve.Compressions(), ", "))
	}
	others, err := solve.Unselected(project, targets)
	if err != nil {
		return err
	}
	add := func(t solve.Target, built bool) error {
		ref, err := repositoryOf(t, project.Name, w.lookupenv)
		p.services = append(p.services, service{target: t, build: built, repo: ref})
		return err
	}
	for _, t := range targets {
		t.Compression = compression
		if err := add(t, true); err != nil {
			return err
		}
	}
	for _, t := range others {
		if err := add(t, false); err != nil {
			return err
		}
	}
	slices.SortFunc(p.services, func(a, b service) int { return strings.Compare(a.target.Service, b.target.Service) })
	return p.distinct()
}

// distinct refuses two services that would overwrite each other.
func (p *plan) distinct() error {
	repos := map[registry.Ref]string{}
	for _, s := range p.services {
		if other, ok := repos[s.repo]; ok {
			return fault.NewInput("services."+s.target.Service, fmt.Sprintf("resolves to the repository %s, like service %s", s.repo, other), "give one of them another with x-slipway.repository")
		}
		repos[s.repo] = s.target.Service
	}
	return nil
}

// addFiles groups the containers by ECS service: one file for one service, else one each.
func (p *plan) addFiles(w *world, o projectOptions) error {
	dir := absolute(w.dir, o.definitionsDir)
	// Written last of all: that it cannot be must not come out last of all.
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fault.New(fault.Usage, fmt.Errorf("--definitions-dir: no directory %s", dir), "create it, or leave the flag out to write the definitions here")
	}
	groups, order := map[compose.ECS][]string{}, []compose.ECS{}
	own := slices.ContainsFunc(p.services, func(s service) bool { return s.target.Settings.ECS != (compose.ECS{}) })
	for _, s := range p.services {
		named := s.target.Settings.ECS
		if named == (compose.ECS{}) {
			named = p.settings.ECS
		}
		if own && named == (compose.ECS{}) {
			p.warnings = append(p.warnings, fmt.Sprintf("service %s is built but has no ECS service, as others have: it is in no definitions file", s.target.Service))
			continue
		}
		if _, ok := groups[named]; !ok {
			order = append(order, named)
		}
		groups[named] = append(groups[named], s.target.Service)
	}
	for _, named := range order {
		name := "imagedefinitions.json"
		if len(order) > 1 {
			// An ARN is no file name: what it ends in is.
			name = "imagedefinitions-" + plainRef(ecs.Ref(named)).Service + ".json"
		}
		path := filepath.Join(dir, name)
		if i := slices.IndexFunc(p.files, func(f definitionsFile) bool { return f.path == path }); i >= 0 {
			return fault.NewInput("x-slipway.ecs", fmt.Sprintf("two ECS services are called %q, in different clusters: their definitions would share one file", named.Service), "build them as two projects")
		}
		p.files = append(p.files, definitionsFile{path: path, services: groups[named]})
		p.own = append(p.own, path)
	}
	if o.imageDetail {
		if len(p.services) != 1 {
			return fault.New(fault.Usage, fmt.Errorf("--image-detail is for one image, the project has %s", plural(len(p.services), "service")), "imageDetail.json names a single image (blue/green deployments); leave the flag out")
		}
		p.imageDetail = filepath.Join(dir, imageDetailFile)
		p.own = append(p.own, p.imageDetail)
	}
	return nil
}

const imageDetailFile = "imageDetail.json"

func (p *plan) hashOf(ctx context.Context, o projectOptions) (revision.Hash, error) {
	return revision.Of(ctx, revision.Inputs{
		Flag:                  o.hash,
		ResolvedSourceVersion: p.env.ResolvedSourceVersion,
		ObjectVersion:         p.env.ObjectVersion(),
		Dir:                   p.root,
		Ignore:                p.own,
		Content: func(ctx context.Context) (string, error) {
			roots, err := solve.Roots(ctx, p.root, p.targets(), p.own)
			if err != nil {
				return "", err
			}
			var inputs []revision.Root
			for _, r := range roots {
				inputs = append(inputs, revision.Root{Label: r.Label, FS: r.FS})
			}
			return revision.ContentOf(ctx, inputs)
		},
	})
}

// finish is what needs the hash: extra tags, and the size of the definitions.
func (p *plan) finish() (err error) {
	for i := range p.services {
		s := &p.services[i]
		if s.extra, err = extraTags(s.target, s.repo, p.hash.Name); err != nil {
			return err
		}
		if p.untrusted.yes() {
			s.extra = nil // they are not the build's own
		}
	}
	for _, f := range p.files {
		if _, err := p.definitions(f, func(s service) string { return likelyHost + s.repo.Name + ":" + p.hash.Name }); err != nil {
			return err
		}
	}
	return nil
}

// likelyHost stands for the registry's host, which only AWS can tell, where the size of
// the definitions is checked before anything is touched.
const likelyHost = "000000000000.dkr.ecr.us-east-1.amazonaws.com/"

// definitions is the content of one definitions file.
func (p *plan) definitions(f definitionsFile, image func(service) string) ([]byte, error) {
	var list []artifact.Definition
	for _, s := range p.services {
		if slices.Contains(f.services, s.target.Service) {
			list = append(list, artifact.Definition{Name: s.target.Container, ImageURI: image(s)})
		}
	}
	data, err := artifact.Definitions(list)
	if err != nil {
		var tooLarge *artifact.TooLargeError
		if errors.As(err, &tooLarge) {
			return nil, err
		}
		return nil, fault.NewInput(filepath.Base(f.path), err.Error(), "correct container_name or x-slipway.container")
	}
	return data, nil
}

func absolute(base, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(base, path)
}
