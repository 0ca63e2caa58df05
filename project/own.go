package project

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/compose-spec/compose-go/v2/consts"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/distribution/reference"

	"slipway/artifact"
	"slipway/build/target"
	"slipway/internal/allow"
	"slipway/internal/fault"
	"slipway/project/compose"
	"slipway/registry"
)

// Owner knows which repositories are the project's own: those in the caller's account
// whose name is the project's, or begins with it and a slash, and those that a variable
// NAME_REPOSITORY_URI of the environment names.
type Owner struct {
	project  string
	Accounts []string
	Named    []registry.Ref
}

// repositoryVariable ends the names of the variables that Amplify sets.
const repositoryVariable = "_REPOSITORY_URI"

func NewOwner(w *Host, project string) Owner {
	o := Owner{project: registry.NormalizeName(project), Accounts: accountsOf(w)}
	for _, kv := range w.Environ {
		name, value, _ := strings.Cut(kv, "=")
		if !strings.HasSuffix(name, repositoryVariable) {
			continue
		}
		if ref, err := registry.ParseRef(value); err == nil {
			o.Named = append(o.Named, ref)
			o.Accounts = append(o.Accounts, ref.Account)
		}
	}
	return o
}

// accountsOf are the accounts that the environment says the caller has: AWS_ACCOUNT_ID,
// that of the CodeBuild job and that of the role to assume.
func accountsOf(w *Host) []string {
	out := []string{"", w.Getenv("AWS_ACCOUNT_ID")}
	for _, name := range []string{"CODEBUILD_BUILD_ARN", "AWS_ROLE_ARN"} {
		if a, err := arn.Parse(w.Getenv(name)); err == nil {
			out = append(out, a.AccountID)
		}
	}
	return out
}

// Owns reports whether a repository is the project's own.
func (o Owner) Owns(ref registry.Ref) bool {
	if slices.Contains(o.Named, ref) {
		return true
	}
	return slices.Contains(o.Accounts, ref.Account) && (ref.Name == o.project || strings.HasPrefix(ref.Name, o.project+"/"))
}

// name is the repository's name, and its ARN where it is not known to lie in the caller's
// account.
func (o Owner) name(ref registry.Ref) string {
	if slices.Contains(o.Accounts, ref.Account) {
		return ref.Name
	}
	return allow.RepositoryARN(ref.Account, ref.Region, ref.Name)
}

// Ask notes a repository that is not the project's own.
func (o Owner) Ask(wanted *allow.Wanted, ref registry.Ref, where string) {
	if !o.Owns(ref) {
		wanted.Add(allow.Want{Kind: allow.Repository, Value: o.name(ref), Where: where})
	}
}

// repositoryField names the field that a service's repository comes from.
func repositoryField(t target.Target) string {
	if t.Settings.Repository == "" && t.Image != "" {
		return "services." + t.Service + ".image"
	}
	return "services." + t.Service + ".x-slipway.repository"
}

// ask notes what the plan would do beyond the project's own: the repositories, places on
// S3 and engines that the compose file names.
func (p *Plan) ask(w *Host, o Options, project *types.Project, wanted *allow.Wanted) error {
	own := NewOwner(w, project.Name)
	if err := p.checkName(w, o, project, own); err != nil {
		return err
	}
	wanted.Scan(fmt.Sprintf("%+v", p.Settings), compose.ExtensionKey)
	for _, s := range p.Components {
		wanted.Scan(fmt.Sprintf("%+v %s", s.Target.Settings, s.Target.Container), "services."+s.Target.Service)
		own.Ask(wanted, s.Ref, repositoryField(s.Target))
	}
	for _, t := range p.BuiltTargets() {
		if p.Untrusted.Yes() {
			break // it writes none
		}
		for _, c := range t.CacheTo {
			if err := p.askCache(own, t.Service, c, wanted); err != nil {
				return err
			}
		}
	}
	s3 := func(url, where string) { wanted.Add(allow.Want{Kind: allow.S3, Value: url, Where: where}) }
	// A value that is not a URL is refused where it is read.
	if _, err := artifact.ParseS3URL(p.Settings.Artifact); err == nil && !o.Given.Artifact {
		s3(p.Settings.Artifact, "x-slipway.artifact")
	}
	if CacheOnS3(p.Settings.Cache) && CheckCache(p.Settings.Cache) == nil && !o.Given.Cache {
		s3(p.Settings.Cache, "x-slipway.engine.cache")
	}
	for _, path := range p.Outputs {
		// A file is replaced where it really lies.
		if filepath.Dir(allow.Real(path)) != allow.Real(filepath.Dir(path)) {
			wanted.Write(path, filepath.Base(path))
		}
	}
	if !o.Given.Engine {
		askEngines(p.Settings.Engine, wanted)
	}
	return nil
}

// checkName refuses an untrusted build whose repositories are the project's own only by a
// name that the compose file gives: it could be another project's.
func (p *Plan) checkName(w *Host, o Options, project *types.Project, own Owner) error {
	given := o.Name != "" || o.NameKnown || w.Getenv(consts.ComposeProjectName) != "" ||
		project.Name == loader.NormalizeProjectName(filepath.Base(project.WorkingDir))
	if given || !p.Untrusted.Yes() {
		return nil
	}
	for _, s := range p.Components {
		if own.Owns(s.Ref) && !slices.Contains(own.Named, s.Ref) {
			return &Error{Problem: ForeignName, Project: project.Name, Err: fmt.Errorf("services.%s: only the name in the compose file makes %s a repository of the project, and this build is untrusted: %s", s.Target.Service, s.Ref, p.Untrusted.Why)}
		}
	}
	return nil
}

// foundEngines are the names of engines that the environment and the host decide.
var foundEngines = []string{"", "managed", "own", "docker", "buildkitd"}

// askEngines notes the addresses in an engine, a pool ENGINE|ENGINE, or a list of
// PLATFORM=ENGINE and PLATFORM=POOL.
func askEngines(engines string, wanted *allow.Wanted) {
	for pool := range strings.SplitSeq(engines, ",") {
		if platform, rest, ok := strings.Cut(pool, "="); ok && !strings.Contains(platform, ":") {
			pool = rest
		}
		for address := range strings.SplitSeq(pool, "|") {
			if address = strings.TrimSpace(address); !slices.Contains(foundEngines, address) {
				wanted.Add(allow.Want{Kind: allow.Engine, Value: address, Where: "x-slipway.engine.address"})
			}
		}
	}
}

// askCache notes where a cache of the compose file is written. checkCaches has refused
// the tags of images.
func (p *Plan) askCache(own Owner, service string, c target.Cache, wanted *allow.Wanted) error {
	where := "services." + service + ".build.cache_to"
	switch c.Type {
	case "inline", "local", "s3":
		return nil // the image itself; what target.Select notes
	case "registry":
	default:
		wanted.Add(allow.Want{Kind: allow.Cache, Value: c.Type, Where: where})
		return nil
	}
	name, ref, tag, err := cacheRef(c.Attrs["ref"])
	if err != nil {
		return fault.NewInput(where, err.Error(), "write ref=HOST/NAME:TAG")
	}
	if name != "" {
		wanted.Add(allow.Want{Kind: allow.Repository, Value: name, Where: where})
		return nil
	}
	if !isCacheTag(tag) || !own.Owns(ref) {
		wanted.Add(allow.Want{Kind: allow.Repository, Value: own.name(ref), Where: where})
	}
	return nil
}

// cacheRef splits a reference into a repository of ECR and a tag. Of another registry it
// returns the repository's whole name.
func cacheRef(s string) (name string, ref registry.Ref, tag string, err error) {
	parsed, err := reference.ParseNormalizedNamed(s)
	if err != nil {
		return "", ref, "", fmt.Errorf("%q is not an image reference (%w)", s, err)
	}
	if tagged, ok := reference.TagNameOnly(parsed).(reference.Tagged); ok {
		tag = tagged.Tag()
	}
	if ref, err = registry.ParseRef(parsed.Name()); err != nil || reference.Domain(parsed) == "docker.io" {
		return parsed.Name(), registry.Ref{}, tag, nil
	}
	return "", ref, tag, nil
}

// AskRepositories notes the repositories of a project that are not its own.
func AskRepositories(w *Host, project *types.Project, wanted *allow.Wanted) error {
	services, err := BuiltServices(project, w.LookupEnv)
	if err != nil {
		return err
	}
	own := NewOwner(w, project.Name)
	for _, s := range services {
		own.Ask(wanted, s.Ref, repositoryField(s.Target))
	}
	return nil
}

// OwnsName is owns for a repository in whatever account: ECS shows the caller services
// of its own account, but not whose repositories their images come from.
func (o Owner) OwnsName(name string) bool {
	named := func(ref registry.Ref) bool { return ref.Name == name }
	return o.Owns(registry.Ref{Name: name}) || slices.ContainsFunc(o.Named, named)
}
