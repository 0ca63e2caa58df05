package build

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	"github.com/docker/cli/cli/config/types"
	"github.com/moby/buildkit/session/auth/authprovider"

	"slipway/build/engine"
	"slipway/build/solve"
	"slipway/build/target"
	"slipway/internal/fault"
	"slipway/internal/phrase"
	"slipway/project"
	"slipway/registry"
)

// buildAll builds and pushes every target of the plan on the engines that were found, and
// returns the results by service. If any failed, each is reported and the error is a
// *FailedError. The layer caches are written in the background, and then the engines
// closed.
func (j *job) buildAll(ctx context.Context) (map[string]solve.Result, error) {
	engines := j.found
	j.found = nil // closed here, as soon as the caches are written
	var using sync.WaitGroup
	using.Add(1)
	defer func() {
		using.Done()
		j.closing.Go(func() {
			using.Wait()
			j.closeEngines(ctx, engines)
		})
	}()
	place, err := j.s3Place(ctx)
	if err != nil {
		return nil, err
	}
	j.engine = namesOfEngines(engines)
	j.pushed = j.pushes(engines, place)
	j.closing.Go(func() { j.logInEarly(ctx) })
	results, err := j.solve(ctx, engines, &using)
	if err != nil {
		return nil, err
	}
	out, err := j.sortResults(ctx, results)
	if err != nil {
		return nil, err
	}
	j.reached("images built")
	j.confirm(ctx, engines, out)
	return out, ctx.Err()
}

// solve builds and pushes every target and returns the results. The caches are written
// after that, and the engines are in use until then.
func (j *job) solve(ctx context.Context, engines []*engine.Engine, using *sync.WaitGroup) ([]solve.Result, error) {
	targets := j.changed()
	display := &shown{Display: j.hooks.Display(targets)}
	built, failed := make(chan []solve.Result, 1), make(chan error, 1)
	o := j.solveOptions(engines, display)
	o.Built = func(results []solve.Result) {
		display.Close()
		built <- results
	}
	j.caching = make(chan struct{})
	using.Go(func() {
		defer close(j.caching)
		results, err := solve.Run(ctx, builders(engines), targets, o)
		if display.Close(); err != nil {
			failed <- err
			return
		}
		j.tellCaches(ctx, results)
		j.reached("caches written")
		select {
		case built <- results:
		default: // they were there before the caches
		}
	})
	select {
	case results := <-built:
		return results, nil
	case err := <-failed:
		return nil, err
	}
}

// solveOptions say how the targets are built.
func (j *job) solveOptions(engines []*engine.Engine, display Display) solve.RunOptions {
	retry := solve.DefaultBackoff
	retry.Attempts = j.options.PushAttempts
	return solve.RunOptions{
		Jobs:       j.options.Jobs,
		FailFast:   j.options.FailFast,
		Own:        j.plan.Outputs,
		Sum:        j.files.Sum,
		Namespace:  j.namespaceOn(engines),
		Login:      j.auth,
		Secret:     func(value string) { j.Secrets.Add(value) },
		Push:       j.pushed,
		Images:     j.unchangedImages(),
		Mirrors:    j.plan.Mirrors,
		Unmirrored: j.warnOfMirrors,
		CacheLogin: j.cacheLogin(engines),
		Order:      j.engineOrder,
		Lost:       j.warnOfLost,
		Retry:      retry,
		Renew:      j.renew,
		Status:     display.Status,
		Retrying:   display.Retrying,
	}
}

// sortResults logs each failure, and returns the results by service if there is
// none.
func (j *job) sortResults(ctx context.Context, results []solve.Result) (map[string]solve.Result, error) {
	out := map[string]solve.Result{}
	failed := &FailedError{}
	for _, r := range results {
		out[r.Service] = r
		var f *solve.FailedError
		switch {
		case r.Err == nil:
		case errors.As(r.Err, &f):
			failed.Failed = append(failed.Failed, r.Service)
			j.ServiceErrorf(r.Service, "%s", failureText(f))
			failed.remedy = cmp.Or(failed.remedy, j.planned.hint(f.Error()))
			failed.Refusal = cmp.Or(failed.Refusal, solve.RefusalOf(f))
			failed.Lost = failed.Lost || errors.As(f, new(*solve.LostError))
		case ctx.Err() != nil:
			return nil, fmt.Errorf("interrupted while building: %w", ctx.Err())
		case errors.Is(r.Err, solve.ErrStopped):
			failed.stopped = append(failed.stopped, r.Service)
		default:
			return nil, r.Err
		}
	}
	if len(failed.Failed) > 0 {
		return nil, failed
	}
	return out, nil
}

func failureText(f *solve.FailedError) string {
	text := f.Error()
	if f.Lines != "" {
		text += "\n" + strings.TrimRight(f.Lines, "\n")
	}
	return text
}

// pushes says where each image goes and which caches its build uses.
func (j *job) pushes(engines []*engine.Engine, place target.S3Place) map[string]target.Push {
	out := map[string]target.Push{}
	for _, c := range j.components {
		if !c.Build || c.Unchanged {
			// Linked services are among the targets, so the others are not
			// needed.
			continue
		}
		repo := c.Repository.URI
		p := target.Push{Pins: pins(c.Inputs), Repository: repo.Name(), Insecure: repo.Scheme() == "http", Inputs: j.plan.Inputs(c.Target, platformOf(engines[0]))}
		if engines[0].Images != nil {
			p.Built = j.before.ByConfig(c.Repository.Ref, target.InputsAnnotation, p.Inputs)
		}
		p.CacheFrom, p.CacheTo = j.caches(c.Repository, "", engines, place)
		out[c.Target.Service] = p
	}
	j.pushBases(out, engines, place)
	return out
}

// unchangedImages are the images that are not built, by service.
func (j *job) unchangedImages() map[string]string {
	out := map[string]string{}
	for _, c := range j.components {
		if c.Unchanged {
			out[c.Target.Service] = c.Repository.URI.Name() + "@" + c.Digest
		}
	}
	return out
}

// pushBases says where the images without a repository go: to that of a component.
func (j *job) pushBases(out map[string]target.Push, engines []*engine.Engine, place target.S3Place) {
	for _, b := range j.plan.Bases {
		repo := j.repositoryOf(b)
		// With its inputs, retention knows the image for one of Slipway's.
		p := target.Push{Pins: pins(j.inputs[b.Target.Service]), Repository: repo.URI.Name(), Insecure: repo.URI.Scheme() == "http", Inputs: j.plan.Inputs(b.Target, platformOf(engines[0]))}
		p.CacheFrom, p.CacheTo = j.caches(repo, b.Target.Service, engines, place)
		out[b.Target.Service] = p
	}
}

// renew drops the token of the registry that refused it.
func (j *job) renew(service string) bool {
	for _, c := range j.components {
		if c.Target.Service == service {
			j.logins.Invalidate(c.Repository.URI.RegistryStr())
			return true
		}
	}
	for _, b := range j.plan.Bases {
		if b.Target.Service == service {
			j.logins.Invalidate(j.repositoryOf(b).URI.RegistryStr())
			return true
		}
	}
	return false
}

// repositoryOf returns the repository that a base is pushed to. The plan took it from a
// component.
func (j *job) repositoryOf(b project.Base) registry.Repository {
	i := slices.IndexFunc(j.components, func(c *Component) bool { return c.Ref == b.Ref })
	return j.components[i].Repository
}

// login gives ECR tokens for the hosts that registry.Logins trusts, and the user's own
// docker logins for the other registries of the plan.
func (j *job) login() (solve.AuthFunc, error) {
	if j.auth != nil {
		return j.auth, nil
	}
	file, err := config.Load(j.Getenv("DOCKER_CONFIG"))
	if err != nil {
		return nil, fault.NewInput("docker config", err.Error(), "correct the file, or name another directory with DOCKER_CONFIG")
	}
	j.planned = &planned{targets: j.options.Targets(j.plan), mirrors: j.plan.Mirrors, note: func(name string) {
		j.Debugf("the engine asked for a login for %q, which no image of the plan is in: it gets none", name)
	}}
	docker := j.planned.only(dockerLogins(file))
	j.auth = KnownLogins(j.Secrets, func(ctx context.Context, host string) (types.AuthConfig, error) {
		c, known, err := j.logins.Credentials(ctx, host)
		if err != nil {
			return types.AuthConfig{}, err
		}
		if known {
			return types.AuthConfig{Username: c.Username, Password: c.Password.Reveal()}, nil
		}
		return docker(ctx, host)
	})
	return j.auth, nil
}

// logInEarly asks for the logins for the registries that images are pushed to: they are
// there when the first image is built. An engine asks again for one that is not.
func (j *job) logInEarly(ctx context.Context) {
	hosts := map[string]bool{}
	for _, c := range j.components {
		if _, ok := j.pushed[c.Target.Service]; ok {
			hosts[c.Repository.URI.RegistryStr()] = true
		}
	}
	for host := range hosts {
		if _, err := j.auth(ctx, host); err != nil {
			j.Debugf("there is no login yet: %v", err)
		}
	}
}

// publicECR is the registry that anybody may pull from, but that refuses even public
// images to a stale login.
const publicECR = "public.ecr.aws"

func dockerLogins(file *configfile.ConfigFile) solve.AuthFunc {
	load := authprovider.LoadAuthConfig(file)
	return func(ctx context.Context, host string) (types.AuthConfig, error) {
		c, err := load(ctx, host, nil, nil)
		if err != nil {
			return types.AuthConfig{}, err
		}
		if host == publicECR && stale(c.Password, time.Now()) {
			return types.AuthConfig{}, nil
		}
		return c, nil
	}
}

// stale reports whether an ECR token has expired. The token is base64 of a JSON
// object with the end in seconds since 1970. One that reads otherwise is taken
// as valid.
func stale(token string, now time.Time) bool {
	data, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return false
	}
	var t struct {
		Expiration int64 `json:"expiration"`
	}
	return json.Unmarshal(data, &t) == nil && t.Expiration > 0 && !now.Before(time.Unix(t.Expiration, 0))
}

// FailedError says how many services could not be built.
type FailedError struct {
	Failed []string
	// Refusal is that of one of them; nil if there was none.
	Refusal *solve.Refusal
	// Lost reports that all engines were lost that could build one of them.
	Lost    bool
	stopped []string
	// remedy is the hint for one of them, if there is one.
	remedy string
}

// Hint returns the hint for one of the failed services, if there is one.
func (e *FailedError) Hint() string { return e.remedy }

// Error counts the failed services. The failure of each has been logged.
func (e *FailedError) Error() string {
	s := phrase.Count(len(e.Failed), "service") + " failed to build: " + strings.Join(e.Failed, ", ")
	if len(e.stopped) > 0 {
		s += "; not built: " + strings.Join(e.stopped, ", ")
	}
	return s + "; no tag was moved"
}

// Kind returns fault.Build.
func (e *FailedError) Kind() fault.Kind { return fault.Build }

// NewLogin returns the logins that a build of a plan gives to engines: ECR tokens for
// the hosts that logins trusts, and the user's own docker logins for the other registries
// of the plan.
func NewLogin(host *project.Host, o Options, p *project.Plan, logins *registry.Logins) (solve.AuthFunc, error) {
	j := &job{Host: host, options: o, plan: p, logins: logins}
	return j.login()
}
