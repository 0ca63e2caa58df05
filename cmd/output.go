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
	"slipway/build/solve"
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
	Service    string                   `json:"service"`
	Container  string                   `json:"container"`
	Repository string                   `json:"repository"`
	Account    string                   `json:"account,omitempty"`
	Region     string                   `json:"region,omitempty"`
	Context    string                   `json:"context"`
	Contexts   map[string]solve.Context `json:"contexts,omitempty"`
	Dockerfile string                   `json:"dockerfile"`
	Target     string                   `json:"target,omitempty"`
	Args       map[string]string        `json:"args,omitempty"`
	Platforms  []string                 `json:"platforms,omitempty"`
	Labels     map[string]string        `json:"labels,omitempty"`
	Secrets    []string                 `json:"secrets,omitempty"`
	SSH        []string                 `json:"ssh,omitempty"`
	Allow      []string                 `json:"entitlements,omitempty"`
	Cache      plannedCache             `json:"cache"`
	Compress   solve.Compression        `json:"compression,omitempty"`
	Repro      bool                     `json:"reproducible,omitempty"`
	Tags       []string                 `json:"tags"`
	Definition string                   `json:"definition,omitempty"`
	Inputs     string                   `json:"inputs"`
	// Untrusted is why the build is untrusted, as a phrase; left out for a trusted one.
	Untrusted string `json:"untrusted,omitempty"`
	Retention string `json:"retention"`
}

type plannedCache struct {
	Mode string        `json:"mode"`
	From []solve.Cache `json:"from,omitempty"`
	To   []solve.Cache `json:"to,omitempty"`
}

// inlineDockerfile stands for a Dockerfile that the compose file holds.
const inlineDockerfile = "(inline)"

func plannedServices(p *project.Plan, o buildOptions, platform string) []plannedService {
	out := []plannedService{}
	for _, s := range p.Components {
		if !s.Build {
			continue
		}
		t := s.Target
		ps := plannedService{
			Service: t.Service, Container: t.Container,
			Repository: s.Ref.Name, Account: s.Ref.Account, Region: s.Ref.Region,
			Context: t.Context.Redacted().String(), Dockerfile: t.Dockerfile, Target: t.Target,
			Args: redactedArgs(t.Args), Platforms: t.Platforms, Labels: t.Labels, Allow: t.Entitlements,
			Cache: plannedCache{o.Cache, redactedCaches(t.CacheFrom), redactedCaches(t.CacheTo)},
			Tags:  []string{p.Hash.Name}, Compress: t.Compression, Repro: t.Reproducible,
			Inputs: t.Inputs(p.Root, platform), Untrusted: p.Untrusted.Why, Retention: retentionInWords(o.Options, p),
		}
		if t.DockerfileInline != "" {
			ps.Dockerfile = inlineDockerfile
		}
		for name, c := range t.Contexts {
			if ps.Contexts == nil {
				ps.Contexts = map[string]solve.Context{}
			}
			ps.Contexts[name] = c.Redacted()
		}
		for _, secret := range t.Secrets {
			ps.Secrets = append(ps.Secrets, secret.ID)
		}
		for _, k := range t.SSH {
			ps.SSH = append(ps.SSH, k.ID)
		}
		if !o.NoLatest {
			ps.Tags = append(append(ps.Tags, s.ExtraTags...), registry.TagLatest)
			for _, f := range p.Files {
				if slices.Contains(f.Services, t.Service) {
					ps.Definition = f.Path
				}
			}
		}
		out = append(out, ps)
	}
	return out
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

func redactedCaches(caches []solve.Cache) []solve.Cache {
	var out []solve.Cache
	for _, c := range caches {
		out = append(out, c.Redacted())
	}
	return out
}

// printPlan prints the plan on stdout.
func printPlan(w *cli, p *project.Plan, o buildOptions) error {
	services := plannedServices(p, o, o.Platform(&w.Host))
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
	return [][2]string{
		{"container", s.Container},
		{"repository", repo.String()},
		{"context", s.Context},
		{"contexts", strings.Join(contexts, ", ")},
		{"dockerfile", s.Dockerfile},
		{"target", s.Target},
		{"args", pairs(s.Args)},
		{"platforms", strings.Join(s.Platforms, ", ")},
		{"labels", pairs(s.Labels)},
		{"secrets", strings.Join(s.Secrets, ", ")},
		{"ssh", strings.Join(s.SSH, ", ")},
		{"allow", strings.Join(s.Allow, ", ")},
		{"cache", strings.Join(caches, ", ")},
		{"tags", strings.Join(s.Tags, ", ")},
		{"definition", s.Definition},
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
	// State is new, unchanged (the digest is what latest stood on) or reused (nothing was built).
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
		rows = append(rows, builtService{
			Service: c.Target.Service, Container: c.Target.Container,
			Repository: c.Repository.URI.Name(), Tag: r.Published.Name, Digest: c.Digest,
			State: stateOfComponent(r, c), BytesPushed: r.Before.NewBytes(r.Published, c.Image(false)),
			Seconds: round(c.Result.Duration), Untrusted: p.Untrusted.Why,
		})
	}
	w.jobLog.repeat()
	printTable(w.stderr, rows)
	w.Infof("revision %s is complete in %s, %s; %.1fs in all", r.Published.Name, phrase.Repositories(len(rows)), whereLatest(r, o), time.Since(r.Started).Seconds())
	return rows, printResult(w, o, p, r.Published.Name, rows)
}

// whereLatest says what the tag latest points to.
func whereLatest(r *build.Release, o buildOptions) string {
	switch {
	case r.Published.SupersededBy != "":
		return "latest points to " + r.Published.SupersededBy
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

// stateOfComponent says what became of a component: new, unchanged or reused.
func stateOfComponent(r *build.Release, c *build.Component) string {
	latest, ok := r.Before.ByTag(c.Repository.Ref, registry.TagLatest)
	switch {
	case r.Reused != "" || !c.Build:
		return "reused"
	case ok && latest.Digest == c.Digest:
		return "unchanged"
	default:
		return "new"
	}
}

func printTable(w io.Writer, rows []builtService) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nSERVICE\tDIGEST\tSTATE\tPUSHED\tSECONDS")
	for _, r := range rows {
		plain.Fprintf(t, "%s\t%s\t%s\t%s\t%.1f\n", r.Service, phrase.ShortDigest(r.Digest), r.State, byteCount(r.BytesPushed), r.Seconds)
	}
	// What cannot be written to stderr cannot be told there either.
	_ = t.Flush()
	fmt.Fprintln(w)
}

func byteCount(n *int64) string {
	switch {
	case n == nil:
		return "?"
	case *n < 1000:
		return fmt.Sprintf("%d B", *n)
	case *n < 1000*1000:
		return fmt.Sprintf("%.1f kB", float64(*n)/1e3)
	case *n < 1000*1000*1000:
		return fmt.Sprintf("%.1f MB", float64(*n)/1e6)
	default:
		return fmt.Sprintf("%.2f GB", float64(*n)/1e9)
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
