package project

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
	"slipway/build/target"
	"slipway/buildspec"
	"slipway/internal/allow"
	"slipway/internal/fault"
	"slipway/internal/mirror"
	"slipway/internal/phrase"
	"slipway/project/compose"
	"slipway/registry"
	"slipway/rollout/ecs"
	"slipway/rollout/secret"
)

// Plan is all that can be known without asking AWS or an engine.
type Plan struct {
	Project    string
	Root       string
	Settings   compose.Settings
	Env        buildspec.Env
	Hash       revision.Hash
	Components []Component
	// Bases are the services that others build on, and that have no repository.
	Bases []Base
	Files []DefinitionsFile
	// TaskFiles are the files of task definitions, none if the compose file does not own
	// them.
	TaskFiles []TaskFile
	// repositories are those of the services that run images of the project.
	repositories map[string]registry.Ref
	// ImageDetail is the path of imageDetail.json, if it was asked for.
	ImageDetail string
	// Mirrors have copies of the images that the build pulls.
	Mirrors mirror.List
	// ECS is where the project runs, without any ECS service if none is named.
	ECS *ECS
	// Outputs are the absolute paths that the job writes.
	Outputs  []string
	Warnings []string
	// Secrets are those that containers read, where x-slipway.task is there.
	Secrets []secret.Secret
	// Untrusted is why the build may write only names of its own.
	Untrusted Untrusted
}

// Component is an image of the plan with its repository.
type Component struct {
	// Target is the service that it is built from: the first, by name, where several
	// services have one image.
	Target target.Target
	// Build reports whether the job builds it; otherwise its latest image gets
	// the hash, too.
	Build     bool
	Ref       registry.Ref
	ExtraTags []string
	// Containers run the image: none with deploy: false, several where services share it.
	Containers []Container
}

// DefinitionsFile is one imagedefinitions.json: the containers of one ECS service.
type DefinitionsFile struct {
	Path     string
	Services []string
}

// Targets are the services to build, sorted by name.
func (p *Plan) Targets() []target.Target {
	var out []target.Target
	for _, t := range p.BuiltTargets() {
		out = append(out, *t)
	}
	slices.SortFunc(out, func(a, b target.Target) int { return strings.Compare(a.Service, b.Service) })
	return out
}

// BuiltTargets are the services to build in the plan itself, so that they can be changed.
func (p *Plan) BuiltTargets() (out []*target.Target) {
	for i := range p.Components {
		if p.Components[i].Build {
			out = append(out, &p.Components[i].Target)
		}
	}
	for i := range p.Bases {
		out = append(out, &p.Bases[i].Target)
	}
	return out
}

// Component returns the component of a service, nil if the plan has none.
func (p *Plan) Component(service string) *Component {
	for i := range p.Components {
		if p.Components[i].Target.Service == service {
			return &p.Components[i]
		}
	}
	return nil
}

// NewPlan reads the project and decides everything that the files and the environment
// decide. It touches nothing.
func NewPlan(ctx context.Context, w *Host, o Options) (*Plan, error) {
	var p *Plan
	var granted allow.Set
	project, err := Load(ctx, w, o, func(project *types.Project, wanted *allow.Wanted) (err error) {
		p = &Plan{Project: project.Name, Root: project.WorkingDir, Env: buildspec.FromEnv(w.LookupEnv)}
		if p.Settings, err = compose.ReadSettings(project); err != nil {
			return err
		}
		if p.Mirrors, err = o.mirrors(p.Settings); err != nil {
			return err
		}
		if err := p.addServices(project, w, o, wanted); err != nil {
			return err
		}
		if err := p.addFiles(w, o); err != nil {
			return err
		}
		if err := p.addTasks(ctx, w, o, project, wanted); err != nil {
			return err
		}
		if err := p.addSecrets(project); err != nil {
			return err
		}
		p.distrust(o.Trust)
		if err := p.checkCaches(); err != nil {
			return err
		}
		granted = wanted.Granted()
		return p.ask(w, o, project, wanted)
	})
	if err != nil {
		return nil, err
	}
	p.ECS = &ECS{FromFlags: len(o.ECS.Services) > 0, Granted: granted}
	if err := p.ECS.AddProject(w, project, o.ECS); err != nil {
		return nil, err
	}
	if err := p.nameHash(ctx, o); err != nil {
		return nil, err
	}
	return p, p.finish()
}

func (p *Plan) addServices(project *types.Project, w *Host, o Options, wanted *allow.Wanted) error {
	project, err := project.WithServicesEnabled(o.Services...)
	if err != nil {
		return fault.NewInput(p.Root, err.Error(), "name services of the compose file")
	}
	targets, warnings, err := target.Select(project, target.Selection{
		Services: o.Services, Wanted: wanted, LookupEnv: w.LookupEnv,
		Reproducible: o.reproducible(p.Settings), Attestations: p.Settings.Attestations,
	})
	if err != nil {
		return err
	}
	p.Warnings = warnings
	compression, err := target.ParseCompression(cmp.Or(o.Compression, p.Settings.Compression))
	if err != nil {
		return fault.NewInput("x-slipway.engine.compression", err.Error(), "use one of "+strings.Join(target.Compressions(), ", "))
	}
	others, err := target.Unselected(project, targets)
	if err != nil {
		return err
	}
	for _, t := range targets {
		t.Compression = compression
		if err := p.addService(t, true, w); err != nil {
			return err
		}
	}
	for _, t := range others {
		if err := p.addService(t, false, w); err != nil {
			return err
		}
	}
	if err := p.addSharers(project); err != nil {
		return err
	}
	slices.SortFunc(p.Components, func(a, b Component) int { return strings.Compare(a.Target.Service, b.Target.Service) })
	if err := p.merge(project); err != nil {
		return err
	}
	return p.placeBases(project)
}

// addService adds a service as a component, or as a base if it has no repository.
func (p *Plan) addService(t target.Target, build bool, w *Host) error {
	ref, ok, err := repositoryFor(t, p.Project, w.LookupEnv)
	switch {
	case err != nil:
		return err
	case ok:
		p.Components = append(p.Components, Component{Target: t, Build: build, Ref: ref, Containers: p.containersOf(t)})
	case build:
		p.Bases = append(p.Bases, Base{Target: t})
		if len(t.Tags) > 0 {
			p.Warnings = append(p.Warnings,
				fmt.Sprintf("services.%s.build.tags has no effect: the image has no repository of its own", t.Service))
		}
	}
	return nil
}

// addFiles groups the containers by ECS service: one file for one service, else one each.
func (p *Plan) addFiles(w *Host, o Options) error {
	dir := Absolute(w.Dir, o.DefinitionsDir)
	// Written last of all: that it cannot be must not come out last of all.
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fault.New(fault.Usage, fmt.Errorf("%s: no directory %s", o.From.DefinitionsDir, dir), "create it, or leave the flag out to write the definitions here")
	}
	groups, order := map[compose.ECS][]string{}, []compose.ECS{}
	all := p.containers()
	if len(all) == 0 {
		p.Warnings = append(p.Warnings,
			"no service has a container, since all have deploy: false: no definitions file is written")
	}
	own := slices.ContainsFunc(all, func(c deployed) bool { return c.ECS != (compose.ECS{}) })
	for _, c := range all {
		named := c.ECS
		if named == (compose.ECS{}) {
			named = p.Settings.ECS
		}
		if own && named == (compose.ECS{}) {
			p.Warnings = append(p.Warnings, fmt.Sprintf("service %s is built but has no ECS service, as others have: "+
				"it is in no definitions file; write x-slipway: {deploy: false} if nothing runs it", c.Service))
			continue
		}
		if _, ok := groups[named]; !ok {
			order = append(order, named)
		}
		groups[named] = append(groups[named], c.Service)
	}
	if err := checkContainers(all, groups); err != nil {
		return err
	}
	for _, named := range order {
		name := "imagedefinitions.json"
		if len(order) > 1 {
			// An ARN is not a file name: its last part is.
			name = "imagedefinitions-" + plainRef(ecs.Ref(named)).Service + ".json"
		}
		path := filepath.Join(dir, name)
		if i := slices.IndexFunc(p.Files, func(f DefinitionsFile) bool { return f.Path == path }); i >= 0 {
			return fault.NewInput("x-slipway.ecs", fmt.Sprintf("two ECS services are called %q, in different clusters: their definitions would share one file", named.Service), "build them as two projects")
		}
		p.Files = append(p.Files, DefinitionsFile{Path: path, Services: groups[named]})
		p.Outputs = append(p.Outputs, path)
	}
	if o.ImageDetail {
		if len(p.Components) != 1 {
			return fault.New(fault.Usage, fmt.Errorf("%s is for one image, the project has %s", o.From.ImageDetail, phrase.Count(len(p.Components), "image")), "imageDetail.json names a single image (blue/green deployments); leave the flag out")
		}
		p.ImageDetail = filepath.Join(dir, imageDetailFile)
		p.Outputs = append(p.Outputs, p.ImageDetail)
	}
	return nil
}

const imageDetailFile = "imageDetail.json"

func (p *Plan) hashOf(ctx context.Context, o Options) (revision.Hash, error) {
	return revision.Of(ctx, revision.Inputs{
		Flag:                  o.Hash,
		ResolvedSourceVersion: p.Env.ResolvedSourceVersion,
		ObjectVersion:         p.Env.ObjectVersion(),
		Dir:                   p.Root,
		Ignore:                p.Outputs,
		Content: func(ctx context.Context) (string, error) {
			roots, err := target.Roots(ctx, p.Root, p.Targets(), p.Outputs)
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

// finish adds the parts that need the hash: extra tags, and the size of the
// definitions.
func (p *Plan) finish() (err error) {
	for i := range p.Components {
		s := &p.Components[i]
		if s.ExtraTags, err = ParseExtraTags(s.Target, s.Ref, p.Hash.Name); err != nil {
			return err
		}
		if p.Untrusted.Yes() {
			s.ExtraTags = nil // they are not the build's own
		}
	}
	for _, f := range p.Files {
		if _, err := p.Definitions(f, func(s Component) string { return likelyHost + s.Ref.Name + ":" + p.Hash.Name }); err != nil {
			return err
		}
	}
	return nil
}

// likelyHost stands for the host of the registry, which only AWS knows, where
// the size of the definitions is checked before anything is written.
const likelyHost = "000000000000.dkr.ecr.us-east-1.amazonaws.com/"

// Definitions is the content of one definitions file.
func (p *Plan) Definitions(f DefinitionsFile, image func(Component) string) ([]byte, error) {
	var list []artifact.Definition
	for _, c := range p.containers() {
		if slices.Contains(f.Services, c.Service) {
			list = append(list, artifact.Definition{Name: c.Name, ImageURI: image(*c.component)})
		}
	}
	data, err := artifact.Definitions(list)
	if err != nil {
		var tooLarge *artifact.TooLargeError
		if errors.As(err, &tooLarge) {
			return nil, err
		}
		return nil, fault.NewInput(filepath.Base(f.Path), err.Error(), "correct container_name or x-slipway.container")
	}
	return data, nil
}

func Absolute(base, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(base, path)
}

// maxEntry bounds what a definitions file says of one service besides the names of its
// container and its repository, in bytes: the registry's host and a tag or digest.
const maxEntry = 512

// RoomFor is the most that the file at path can take.
func (p *Plan) RoomFor(path string) int {
	room := maxEntry + p.roomForTasks(path)
	for _, f := range p.Files {
		if f.Path != path {
			continue
		}
		for _, c := range p.containers() {
			if slices.Contains(f.Services, c.Service) {
				room += len(c.Name) + len(c.component.Ref.Name) + maxEntry
			}
		}
	}
	return room
}

// Relative returns an absolute path as seen from base, if it lies below it.
func Relative(base, path string) string {
	rel, err := filepath.Rel(base, path)
	if !filepath.IsAbs(path) || err != nil || strings.HasPrefix(rel, "..") {
		return path
	}
	if rel == "." {
		return rel
	}
	return "./" + rel
}
