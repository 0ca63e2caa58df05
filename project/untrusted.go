package project

import (
	"context"
	"fmt"
	"strings"

	"slipway/build/revision"
	"slipway/build/target"
	"slipway/buildspec"
	"slipway/internal/fault"
	"slipway/internal/trust"
	"slipway/registry"
	"slipway/registry/revisions"
)

// Trust says whether others write the source: given, or left to what CodeBuild says.
type Trust struct {
	Given, Untrusted bool
	// From names where it was given, for messages.
	From string
}

// Reason is why the source is untrusted, empty if it is trusted, and the number of the
// pull request, 0 for none.
func (o Trust) Reason(env buildspec.Env) (why string, number int) {
	why, number = env.Untrusted()
	switch {
	case o.Given && !o.Untrusted:
		return "", 0
	case why == "" && o.Untrusted:
		return o.From + " is given", 0
	}
	return why, number
}

// Untrusted is why a build is untrusted; the zero value is a trusted build.
type Untrusted struct {
	// Why is the reason as a phrase, such as "CODEBUILD_WEBHOOK_TRIGGER is pr/12".
	Why string
	// Number is the pull request's, 0 for none.
	Number int
	// Ignored are the settings of the compose file that do not count.
	Ignored []string
}

func (u Untrusted) Yes() bool { return u.Why != "" }

// Namespace returns the prefix that separates the build's layers and transfers
// from those of others on an engine that they share.
func (u Untrusted) Namespace() string { return strings.TrimSuffix(trust.Prefix(u.Number), "-") }

// distrust decides whether the build is untrusted, and which settings then do not count.
func (p *Plan) distrust(o Trust) {
	why, number := o.Reason(p.Env)
	if why == "" {
		return
	}
	p.Untrusted = Untrusted{Why: why, Number: number}
	p.ignoreSettings()
}

// nameHash names the build; one that is untrusted gets a name of its own.
func (p *Plan) nameHash(ctx context.Context, o Options) (err error) {
	if p.Hash, err = p.hashOf(ctx, o); err != nil || !p.Untrusted.Yes() {
		return err
	}
	p.Hash, err = revision.Untrusted(p.Hash, p.Untrusted.Number)
	return err
}

// ignoreSettings leaves out what the compose file may not decide in an untrusted
// build: where it is built, and where results go.
func (p *Plan) ignoreSettings() {
	ignore := func(name string, value *string) {
		if *value != "" {
			p.Untrusted.Ignored = append(p.Untrusted.Ignored, name)
			*value = ""
		}
	}
	ignore("x-slipway.artifact", &p.Settings.Artifact)
	ignore("x-slipway.engine.address", &p.Settings.Engine)
	if CacheOnS3(p.Settings.Cache) {
		ignore("x-slipway.engine.cache", &p.Settings.Cache)
	}
	for _, s := range p.Components {
		if s.Build && len(s.Target.Tags) > 0 {
			p.Untrusted.Ignored = append(p.Untrusted.Ignored, "services."+s.Target.Service+".build.tags")
		}
	}
}

// checkCaches refuses layer caches of the compose file that would write over a
// tag of the project's own repositories, or read what an untrusted build wrote.
func (p *Plan) checkCaches() error {
	for _, t := range p.BuiltTargets() {
		for _, c := range t.CacheTo {
			if tag, ok := p.OwnTag(c); ok && !isCacheTag(tag) {
				return fault.NewInput("services."+t.Service+".build.cache_to", fmt.Sprintf("%q would write a layer cache over the tag %q of a repository of the project", c.Attrs["ref"], tag),
					"name the tag "+registry.TagCache+", or another one that begins so")
			}
		}
		for _, c := range t.CacheFrom {
			if tag, ok := p.OwnTag(c); ok && revisions.IsUntrusted(tag) && !p.Untrusted.Yes() {
				return fault.NewInput("services."+t.Service+".build.cache_from", fmt.Sprintf("%q was written by an untrusted build", c.Attrs["ref"]),
					"name a cache that trusted builds write, such as "+registry.TagCache)
			}
		}
	}
	return nil
}

func isCacheTag(tag string) bool { return strings.HasPrefix(tag, registry.TagCache) }

// OwnTag is the tag or digest that a registry cache names in one of the project's
// repositories, whatever the spelling of the host. An account or region that the
// compose file leaves open fits any.
func (p *Plan) OwnTag(c target.Cache) (string, bool) {
	if c.Type != CacheRegistry {
		return "", false
	}
	ref, ok := RepositoryOfImage(c.Attrs["ref"])
	if !ok {
		return "", false
	}
	for _, s := range p.Components {
		if MayBeSame(s.Ref, ref) {
			return TagOrDigest(c.Attrs["ref"]), true
		}
	}
	return "", false
}

// MayBeSame reports whether two references may mean one repository.
func MayBeSame(a, b registry.Ref) bool {
	open := func(a, b string) bool { return a == b || a == "" || b == "" }
	return a.Name == b.Name && open(a.Account, b.Account) && open(a.Region, b.Region)
}
