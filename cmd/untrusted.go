package cmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"slipway/build/engine"
	"slipway/build/revision"
	"slipway/build/solve"
	"slipway/buildspec"
	"slipway/internal/fault"
	"slipway/internal/trust"
	"slipway/registry"
)

// trustOption is --untrusted: set, cleared, or left to what CodeBuild says.
type trustOption struct{ given, untrusted bool }

// trustOption is a pflag.Value.
var _ pflag.Value = (*trustOption)(nil)

func (o *trustOption) flag(f *pflag.FlagSet) {
	f.Var(o, "untrusted", "build a source that others write, such as a pull request, apart from the rest")
	f.Lookup("untrusted").NoOptDefVal = "true"
}

// String returns the value, empty where none was given.
func (o *trustOption) String() string {
	if o == nil || !o.given {
		return ""
	}
	return strconv.FormatBool(o.untrusted)
}

// Set parses a boolean.
func (o *trustOption) Set(s string) error {
	v, err := strconv.ParseBool(s)
	if err != nil {
		return fmt.Errorf("want true or false, have %q", s)
	}
	o.given, o.untrusted = true, v
	return nil
}

// Type is the flag's type in the help.
func (o *trustOption) Type() string { return "bool" }

// onlyTrusted is flag for a command that an untrusted source may not cause.
func (o *trustOption) onlyTrusted(f *pflag.FlagSet) {
	o.flag(f)
	f.Lookup("untrusted").Usage = "say whether others write the source; the command is refused if they do"
}

// reason is why the source is untrusted, empty if it is trusted, and the number of the
// pull request, 0 for none.
func (o trustOption) reason(env buildspec.Env) (why string, number int) {
	why, number = env.Untrusted()
	switch {
	case o.given && !o.untrusted:
		return "", 0
	case why == "" && o.untrusted:
		return "--untrusted is given", 0
	}
	return why, number
}

// refuse refuses a command that changes what is not an untrusted build's own. The files
// of an untrusted source would decide what it deploys, and where.
func (o trustOption) refuse(w *world, command string) error {
	if why, _ := o.reason(buildspec.FromEnv(w.lookupenv)); why != "" {
		return fault.New(fault.Usage, fmt.Errorf("%s is not for an untrusted source, and this one is untrusted: %s", command, why), "run it in a job of the main branch; if the source is trusted all the same, say so with --untrusted=false")
	}
	return nil
}

// untrusted is why a build is untrusted; the zero value is a trusted build.
type untrusted struct {
	// why is the reason as a phrase, such as "CODEBUILD_WEBHOOK_TRIGGER is pr/12".
	why string
	// number is the pull request's, 0 for none.
	number int
	// ignored are the settings of the compose file that do not count.
	ignored []string
}

func (u untrusted) yes() bool { return u.why != "" }

// namespace is what keeps the build's layers and transfers apart from those of
// others on an engine that they share.
func (u untrusted) namespace() string { return strings.TrimSuffix(trust.Prefix(u.number), "-") }

// distrust decides whether the build is untrusted, and which settings then do not count.
func (p *plan) distrust(o trustOption) {
	why, number := o.reason(p.env)
	if why == "" {
		return
	}
	p.untrusted = untrusted{why: why, number: number}
	p.ignoreSettings()
}

// nameHash names the build; one that is untrusted gets a name of its own.
func (p *plan) nameHash(ctx context.Context, o projectOptions) (err error) {
	if p.hash, err = p.hashOf(ctx, o); err != nil || !p.untrusted.yes() {
		return err
	}
	p.hash, err = revision.Untrusted(p.hash, p.untrusted.number)
	return err
}

// ignoreSettings leaves out what the compose file may not decide in an untrusted
// build: where it is built, and where results go.
func (p *plan) ignoreSettings() {
	ignore := func(name string, value *string) {
		if *value != "" {
			p.untrusted.ignored = append(p.untrusted.ignored, name)
			*value = ""
		}
	}
	ignore("x-slipway.artifact", &p.settings.Artifact)
	ignore("x-slipway.engine.address", &p.settings.Engine)
	if onS3(p.settings.Cache) {
		ignore("x-slipway.engine.cache", &p.settings.Cache)
	}
	for _, s := range p.services {
		if s.build && len(s.target.Tags) > 0 {
			p.untrusted.ignored = append(p.untrusted.ignored, "services."+s.target.Service+".build.tags")
		}
	}
}

// confine applies to the flags what the plan says of trust.
func (o *buildOptions) confine(p *plan) {
	if p.untrusted.yes() {
		o.noLatest = true
	}
}

// checkUntrusted refuses flags that would let an untrusted build write more than
// names of its own. The artifact is a flag's, since the setting does not count.
func (o *buildOptions) checkUntrusted(p *plan) error {
	if !p.untrusted.yes() {
		return nil
	}
	for _, f := range []struct {
		name  string
		given bool
	}{
		{"--rollout", o.rollout}, {"--create-repositories", o.create},
		{"--artifact", o.artifact != ""}, {"--replace-policy", o.retention.replace},
	} {
		if f.given {
			return fault.New(fault.Usage, fmt.Errorf("%s is not for an untrusted build, and this one is untrusted: %s", f.name, p.untrusted.why), "leave "+f.name+" out; if the source is trusted all the same, say so with --untrusted=false")
		}
	}
	return nil
}

// untrustedStateDir is where an engine that slipway starts keeps the layers of
// untrusted builds: within the state directory of trusted ones, which it never
// reads.
func untrustedStateDir(dir string) string {
	if dir == "" {
		dir = engine.DefaultStateDir()
	}
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, "untrusted")
}

// logUntrusted logs why the build is untrusted and what follows from it.
func (j *job) logUntrusted() {
	u := j.plan.untrusted
	if !u.yes() && j.options.cacheDropped {
		j.log.Info().Msg("--no-latest writes no layer cache, also where the compose file names one; --cache on the command line still does")
	}
	if !u.yes() {
		return
	}
	j.log.Info().Msgf("untrusted build, since %s: it writes only %s, and neither moves a tag nor exports a layer cache", u.why, j.plan.hash.Name)
	if len(u.ignored) > 0 {
		j.log.Info().Msgf("ignored in an untrusted build: %s", strings.Join(u.ignored, ", "))
	}
}

// namespaceOn is the namespace that the builds have on the engines, empty where
// nothing needs to be kept apart. An engine that slipway starts has a state
// directory for untrusted builds; on any other, trusted builds find the layers
// of all others.
func (j *job) namespaceOn(engines []*engine.Engine) string {
	if !j.plan.untrusted.yes() {
		return ""
	}
	for _, e := range engines {
		if e.Kind != engine.Managed {
			return j.plan.untrusted.namespace()
		}
	}
	return ""
}

// logNamespace says that the cache of a shared engine is not used.
func (j *job) logNamespace(engines []*engine.Engine) {
	if name := j.namespaceOn(engines); name != "" {
		j.log.Info().Msgf("trusted builds may use this engine: this build has the namespace %s on it and finds none of their layers; `--engine managed` keeps an engine for untrusted builds", name)
	}
}

// errOnlyTrusted says what is wrong with a definitions file of an untrusted build.
var errOnlyTrusted = errors.New("is the name of an image that an untrusted build made, and those are not deployed")

// checkDefinitionTrusted refuses an image in ECR that an untrusted build made.
func checkDefinitionTrusted(path, image string) error {
	if _, ok := repositoryOfReference(image); ok && registry.IsUntrusted(tagOrDigest(image)) {
		return fault.NewInput(path, image+" "+errOnlyTrusted.Error(), "build the commit where it is trusted, and deploy that revision: slipway build")
	}
	return nil
}

// checkTrusted refuses images that an untrusted build made, where definitions name
// them by digest.
func (d *deployJob) checkTrusted(ctx context.Context, names map[string]bool) error {
	var byDigest []registry.RevisionImage
	for _, i := range d.images {
		if names[i.Digest] {
			byDigest = append(byDigest, i)
		}
	}
	return refused(registry.CheckTrusted(ctx, d.clients, byDigest))
}

// checkCaches refuses layer caches of the compose file that would write over a
// tag of the project's own repositories, or read what an untrusted build wrote.
func (p *plan) checkCaches() error {
	for _, s := range p.services {
		if !s.build {
			continue
		}
		for _, c := range s.target.CacheTo {
			if tag, ok := p.ownTag(c); ok && !isCacheTag(tag) {
				return fault.NewInput("services."+s.target.Service+".build.cache_to", fmt.Sprintf("%q would write a layer cache over the tag %q of a repository of the project", c.Attrs["ref"], tag),
					"name the tag "+registry.TagCache+", or another one that begins so")
			}
		}
		for _, c := range s.target.CacheFrom {
			if tag, ok := p.ownTag(c); ok && registry.IsUntrusted(tag) && !p.untrusted.yes() {
				return fault.NewInput("services."+s.target.Service+".build.cache_from", fmt.Sprintf("%q was written by an untrusted build", c.Attrs["ref"]),
					"name a cache that trusted builds write, such as "+registry.TagCache)
			}
		}
	}
	return nil
}

func isCacheTag(tag string) bool { return strings.HasPrefix(tag, registry.TagCache) }

// ownTag is the tag or digest that a registry cache names in one of the project's
// repositories, whatever the spelling of the host. An account or region that the
// compose file leaves open fits any.
func (p *plan) ownTag(c solve.Cache) (string, bool) {
	if c.Type != cacheRegistry {
		return "", false
	}
	ref, ok := repositoryOfReference(c.Attrs["ref"])
	if !ok {
		return "", false
	}
	for _, s := range p.services {
		if mayBeSame(s.repo, ref) {
			return tagOrDigest(c.Attrs["ref"]), true
		}
	}
	return "", false
}

// mayBeSame reports whether two references may mean one repository.
func mayBeSame(a, b registry.Ref) bool {
	open := func(a, b string) bool { return a == b || a == "" || b == "" }
	return a.Name == b.Name && open(a.Account, b.Account) && open(a.Region, b.Region)
}

// exportsCache reports whether the build may leave a layer cache where others
// read it. With --no-latest, only a --cache on the command line says so.
func (o buildOptions) exportsCache(p *plan) bool {
	switch {
	case p.untrusted.yes():
		return false
	case o.noLatest:
		return o.cacheGiven && o.cache != cacheAuto && o.cache != cacheNone
	default:
		return true
	}
}

// withoutExports drops the compose file's own layer caches where none may be
// left, but for those that are part of the image itself.
func (o *buildOptions) withoutExports(p *plan) {
	if o.exportsCache(p) {
		return
	}
	o.cacheDropped = o.cache == cacheRegistry || onS3(o.cache)
	for i := range p.services {
		t := &p.services[i].target
		var kept []solve.Cache
		for _, c := range t.CacheTo {
			if c.Type == cacheInline {
				kept = append(kept, c)
			} else {
				o.cacheDropped = true
			}
		}
		t.CacheTo = kept
	}
}
