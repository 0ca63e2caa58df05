package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"slipway/build"
	"slipway/build/target"
	"slipway/internal/awsclient"
	"slipway/internal/phrase"
	"slipway/internal/plain"
	"slipway/internal/redact"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/revisions"
)

// writeJSON prints a value for machines.
func writeJSON(w io.Writer, v any) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	return putJSON(w, text.Bytes())
}

// plannedService is one element of the array that `build --plan --output json` prints.
// docs/plan.md describes it.
type plannedService struct {
	Service    string                    `json:"service"`
	Container  string                    `json:"container"`
	Containers []plannedContainer        `json:"containers,omitempty"`
	Repository string                    `json:"repository"`
	Account    string                    `json:"account,omitempty"`
	Region     string                    `json:"region,omitempty"`
	Context    string                    `json:"context"`
	Contexts   map[string]target.Context `json:"contexts,omitempty"`
	Dockerfile string                    `json:"dockerfile"`
	Target     string                    `json:"target,omitempty"`
	Args       map[string]string         `json:"args,omitempty"`
	Platforms  []string                  `json:"platforms,omitempty"`
	Engines    []string                  `json:"engines,omitempty"`
	Labels     map[string]string         `json:"labels,omitempty"`
	Secrets    []string                  `json:"secrets,omitempty"`
	SSH        []string                  `json:"ssh,omitempty"`
	Allow      []string                  `json:"entitlements,omitempty"`
	Cache      plannedCache              `json:"cache"`
	Compress   target.Compression        `json:"compression,omitempty"`
	Repro      bool                      `json:"reproducible,omitempty"`
	Tags       []string                  `json:"tags"`
	Definition string                    `json:"definition,omitempty"`
	Inputs     string                    `json:"inputs"`
	// Untrusted is why the build is untrusted, as a phrase; left out for a trusted one.
	Untrusted string `json:"untrusted,omitempty"`
	Retention string `json:"retention"`
}

// plannedContainer is one of several containers that run the image.
type plannedContainer struct {
	Service    string `json:"service"`
	Container  string `json:"container"`
	Definition string `json:"definition,omitempty"`
}

type plannedCache struct {
	Mode string         `json:"mode"`
	From []target.Cache `json:"from,omitempty"`
	To   []target.Cache `json:"to,omitempty"`
}

// inlineDockerfile stands for a Dockerfile that the compose file holds.
const inlineDockerfile = "(inline)"

func plannedServices(p *project.Plan, o buildOptions, platform string) []plannedService {
	out := []plannedService{}
	targets := map[string]target.Target{}
	for _, t := range o.Targets(p) {
		targets[t.Service] = t
	}
	for _, c := range p.Components {
		if !c.Build {
			continue
		}
		ps := plannedTarget(p, o, targets[c.Target.Service], c.Ref, platform)
		ps.Tags = []string{p.Hash.Name}
		if !o.NoLatest {
			ps.Tags = append(append(ps.Tags, c.ExtraTags...), registry.TagLatest)
		}
		ps.addContainers(p, o, c.Containers)
		out = append(out, ps)
	}
	for _, b := range p.Bases {
		out = append(out, plannedTarget(p, o, targets[b.Target.Service], b.Ref, platform))
	}
	slices.SortFunc(out, func(a, b plannedService) int { return strings.Compare(a.Service, b.Service) })
	return out
}

// addContainers adds the containers that run the image, and the definitions files that
// name them.
func (s *plannedService) addContainers(p *project.Plan, o buildOptions, containers []project.Container) {
	var all []plannedContainer
	for _, c := range containers {
		planned := plannedContainer{Service: c.Service, Container: c.Name}
		for _, f := range p.Files {
			if !o.NoLatest && slices.Contains(f.Services, c.Service) {
				planned.Definition = f.Path
			}
		}
		all = append(all, planned)
	}
	if len(all) > 0 {
		own := all[max(0, slices.IndexFunc(all, func(c plannedContainer) bool { return c.Service == s.Service }))]
		s.Container, s.Definition = own.Container, own.Definition
	}
	if len(all) > 1 {
		s.Containers = all
	}
}

// plannedTarget is a service as it is built and pushed, without tags and containers.
func plannedTarget(p *project.Plan, o buildOptions, t target.Target, repo registry.Ref, platform string) plannedService {
	ps := plannedService{
		Service: t.Service, Repository: repo.Name, Account: repo.Account, Region: repo.Region,
		Context: t.Context.Redacted().String(), Dockerfile: t.Dockerfile, Target: t.Target,
		Args: redactedArgs(t.Args), Platforms: t.Platforms, Engines: o.EngineOrder(repo, t), Labels: t.Labels, Allow: t.Entitlements,
		Cache: plannedCache{o.Cache, redactedCaches(t.CacheFrom), redactedCaches(t.CacheTo)},
		Tags:  []string{}, Compress: t.Compression, Repro: t.Reproducible,
		Inputs: p.Inputs(t, platform), Untrusted: p.Untrusted.Why, Retention: retentionInWords(o.Options, p),
	}
	if t.DockerfileInline != "" {
		ps.Dockerfile = inlineDockerfile
	}
	for name, c := range t.Contexts {
		if ps.Contexts == nil {
			ps.Contexts = map[string]target.Context{}
		}
		ps.Contexts[name] = c.Redacted()
	}
	for _, secret := range t.Secrets {
		ps.Secrets = append(ps.Secrets, secret.ID)
	}
	for _, k := range t.SSH {
		ps.SSH = append(ps.SSH, k.ID)
	}
	return ps
}

// redactedArgs are build arguments without the values of those that are named like
// credentials. An argument is no secret, but many are given one.
func redactedArgs(args map[string]string) map[string]string {
	args = maps.Clone(args)
	for name, value := range args {
		if value != "" && redact.Credential(name) {
			args[name] = redact.Mark
		}
	}
	return args
}

func redactedCaches(caches []target.Cache) []target.Cache {
	var out []target.Cache
	for _, c := range caches {
		out = append(out, c.Redacted())
	}
	return out
}

// printPlan prints the plan on stdout.
func printPlan(w *cli, p *project.Plan, o buildOptions) error {
	services := plannedServices(p, o, o.Platform())
	if o.output == "json" {
		return writeJSON(w.stdout, services)
	}
	plain.Fprintf(w.stdout, "project  %s (%s)\nhash     %s (%s)\n", p.Project, p.Root, p.Hash.Name, p.Hash.Detail)
	if p.Untrusted.Yes() {
		plain.Fprintf(w.stdout, "trust    untrusted, since %s\n", p.Untrusted.Why)
	}
	plain.Fprintf(w.stdout, "policy   %s\n", retentionInWords(o.Options, p))
	for _, s := range services {
		plain.Fprintf(w.stdout, "\n%s\n", s.Service)
		for _, f := range s.relativeTo(p.Root, w.Dir).fields() {
			if f[1] != "" {
				plain.Fprintf(w.stdout, "  %-11s %s\n", f[0], f[1])
			}
		}
	}
	return nil
}

// relativeTo shortens the paths for people: below the project's directory, and below the
// working directory for what is written.
func (s plannedService) relativeTo(root, dir string) plannedService {
	s.Context, s.Dockerfile, s.Definition = project.Relative(root, s.Context), project.Relative(root, s.Dockerfile), project.Relative(dir, s.Definition)
	s.Containers = slices.Clone(s.Containers)
	for i, c := range s.Containers {
		s.Containers[i].Definition = project.Relative(dir, c.Definition)
	}
	s.Contexts = maps.Clone(s.Contexts)
	for name, c := range s.Contexts {
		c.Dir, c.OCILayout = project.Relative(root, c.Dir), project.Relative(root, c.OCILayout)
		s.Contexts[name] = c
	}
	return s
}

func (s plannedService) fields() [][2]string {
	repo := registry.Ref{Account: s.Account, Region: s.Region, Name: s.Repository}
	var contexts, caches []string
	for _, name := range slices.Sorted(maps.Keys(s.Contexts)) {
		contexts = append(contexts, name+"="+s.Contexts[name].String())
	}
	for _, c := range s.Cache.From {
		caches = append(caches, "from "+c.String())
	}
	for _, c := range s.Cache.To {
		caches = append(caches, "to "+c.String())
	}
	if len(caches) == 0 {
		caches = []string{s.Cache.Mode}
	}
	containers, definitions := []string{s.Container}, []string{s.Definition}
	for _, c := range s.Containers {
		if !slices.Contains(containers, c.Container) {
			containers = append(containers, c.Container)
		}
		if !slices.Contains(definitions, c.Definition) {
			definitions = append(definitions, c.Definition)
		}
	}
	where := repo.String()
	if len(s.Tags) == 0 {
		where += ", by digest"
	}
	return [][2]string{
		{"container", strings.Join(containers, ", ")},
		{"repository", where},
		{"context", s.Context},
		{"contexts", strings.Join(contexts, ", ")},
		{"dockerfile", s.Dockerfile},
		{"target", s.Target},
		{"args", pairs(s.Args)},
		{"platforms", strings.Join(s.Platforms, ", ")},
		{"engines", strings.Join(s.Engines, ", ")},
		{"labels", pairs(s.Labels)},
		{"secrets", strings.Join(s.Secrets, ", ")},
		{"ssh", strings.Join(s.SSH, ", ")},
		{"allow", strings.Join(s.Allow, ", ")},
		{"cache", strings.Join(caches, ", ")},
		{"tags", strings.Join(s.Tags, ", ")},
		{"definition", strings.Join(definitions, ", ")},
	}
}

func pairs(m map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+"="+m[k])
	}
	return strings.Join(out, " ")
}

// builtService is one element of the array that `build --output json` prints.
type builtService struct {
	Service    string `json:"service"`
	Container  string `json:"container"`
	Repository string `json:"repository"` // host/name
	Tag        string `json:"tag"`        // the revision's name
	Digest     string `json:"digest"`
	// State is new; same (built, with the digest that latest pointed to); unchanged
	// (an image from the same inputs was there, and nothing was built); or reused (the
	// service was not to be built, and latest's image stands for it).
	State string `json:"state"`
	// BytesPushed counts the layers and configurations that were new to the repository
	// (see revisions.Snapshot.NewBytes); null where that cannot be told.
	BytesPushed *int64  `json:"bytesPushed"`
	Seconds     float64 `json:"seconds"`
	// Untrusted is why the build is untrusted, as a phrase; left out for a trusted one.
	Untrusted string `json:"untrusted,omitempty"`
}

// printRelease prints the table on stderr and the result on stdout.
func printRelease(ctx context.Context, w *cli, o buildOptions, p *project.Plan, aws *awsclient.Clients, r *build.Release) ([]builtService, error) {
	for _, s := range []*revisions.Snapshot{r.Before, r.Published.Snapshot} {
		if err := s.ReadParts(ctx, aws.Registries()); err != nil {
			w.Debugf("the pushed bytes are not known: %v", err)
		}
	}
	var rows []builtService
	for _, c := range r.Components {
		rows = append(rows, builtServices(r, c, p)...)
	}
	slices.SortStableFunc(rows, func(a, b builtService) int { return strings.Compare(a.Service, b.Service) })
	w.jobLog.repeat()
	if w.structured {
		logRows(w, rows)
	} else {
		printTable(w.stderr, rows)
	}
	w.Infof("revision %s is complete in %s, %s; %.1fs in all", r.Published.Name, phrase.Repositories(len(r.Components)), whereLatest(r, o), time.Since(r.Started).Seconds())
	return rows, printResult(w, o, p, r.Published.Name, rows)
}

// builtServices are the rows of a component: one for each container, of which the first
// has the bytes and the time of the build.
func builtServices(r *build.Release, c *build.Component, p *project.Plan) []builtService {
	row := builtService{
		Service: c.Target.Service, Repository: c.Repository.URI.Name(), Tag: r.Published.Name, Digest: c.Digest,
		State: stateOfComponent(r, c), BytesPushed: r.Before.NewBytes(r.Published, c.Image(false)),
		Seconds: round(c.Result.Duration), Untrusted: p.Untrusted.Why,
	}
	if len(c.Containers) == 0 {
		return []builtService{row}
	}
	var rows []builtService
	for i, x := range c.Containers {
		if row.Service, row.Container = x.Service, x.Name; i > 0 {
			row.BytesPushed, row.Seconds = new(int64), 0
		}
		rows = append(rows, row)
	}
	return rows
}

// whereLatest says what the tag latest points to.
func whereLatest(r *build.Release, o buildOptions) string {
	switch {
	case r.LatestRevision() != "":
		return "latest points to " + r.LatestRevision()
	case o.NoLatest:
		return "latest was not moved"
	default:
		return "latest points to it"
	}
}

// printResult prints the result of a build on stdout.
func printResult(w *cli, o buildOptions, p *project.Plan, revision string, rows []builtService) error {
	switch {
	case o.output == outputEnv:
		return printVariables(w.stdout, p.Hash.Name, revision)
	case o.output == "json" && o.rollout:
		return nil // printed with the result of the rollout
	case o.output == "json":
		return writeJSON(w.stdout, rows)
	}
	for _, r := range rows {
		if _, err := plain.Fprintf(w.stdout, "%s  %s:%s  %s\n", r.Service, r.Repository, r.Tag, r.Digest); err != nil {
			return err
		}
	}
	return nil
}

// stateOfComponent says what became of a component: builtService.State.
func stateOfComponent(r *build.Release, c *build.Component) string {
	latest, ok := r.Before.ByTag(c.Repository.Ref, registry.TagLatest)
	switch {
	case !c.Build:
		return "reused"
	case c.Unchanged:
		return "unchanged"
	case ok && latest.Digest == c.Digest:
		return "same"
	default:
		return "new"
	}
}

func printTable(w io.Writer, rows []builtService) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nSERVICE\tDIGEST\tSTATE\tPUSHED\tSECONDS")
	for _, r := range rows {
		plain.Fprintf(t, "%s\t%s\t%s\t%s\t%.1f\n", r.Service, phrase.ShortDigest(r.Digest), r.State, phrase.Bytes(r.BytesPushed), r.Seconds)
	}
	// What cannot be written to stderr cannot be told there either.
	_ = t.Flush()
	fmt.Fprintln(w)
}

// logRows logs what printTable prints.
func logRows(w *cli, rows []builtService) {
	for _, r := range rows {
		line := w.log.Info().Str(serviceField, r.Service).Str("repository", r.Repository).Str("digest", r.Digest).Str("state", r.State)
		if r.BytesPushed != nil {
			line = line.Int64("pushed", *r.BytesPushed)
		}
		line.Float64("seconds", r.Seconds).Msgf("%s is built: %s, %s pushed", r.Service, r.State, phrase.Bytes(r.BytesPushed))
	}
}

func round(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }

// retentionInWords says of a build that is only planned when it writes policies.
func retentionInWords(o build.Options, p *project.Plan) string {
	switch {
	case p.Untrusted.Yes():
		return "no lifecycle policy is written by an untrusted build"
	case o.NoLatest:
		return "no lifecycle policy is written with --no-latest"
	}
	return fmt.Sprintf("%s, written when the tags have moved; if images that slipway did not push would expire, only by slipway retention --apply", phrase.Count(o.Retention.Days, "day"))
}
