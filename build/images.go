package build

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	"github.com/docker/cli/cli/config/types"
	"github.com/moby/buildkit/session/auth/authprovider"

	"slipway/build/engine"
	"slipway/build/solve"
	"slipway/internal/fault"
	"slipway/internal/phrase"
	"slipway/project"
	"slipway/registry"
)

// buildAll builds and pushes every target of the plan on the engines that were found, and
// returns the results by service. If any failed, each is reported and the error is a
// *FailedError.
func (j *job) buildAll(ctx context.Context) (map[string]solve.Result, error) {
	engines := j.found
	j.found = nil // closed here, as soon as the images are pushed
	defer j.closeEngines(ctx, engines)
	login, err := j.login()
	if err != nil {
		return nil, err
	}
	place, err := j.s3Place(ctx)
	if err != nil {
		return nil, err
	}
	retry := solve.DefaultBackoff
	retry.Attempts = j.options.PushAttempts
	display := j.hooks.Display(j.plan.Targets())
	results, err := solve.Run(ctx, builders(engines), j.plan.Targets(), solve.RunOptions{
		Jobs:       j.options.Jobs,
		FailFast:   j.options.FailFast,
		Own:        j.plan.Outputs,
		Namespace:  j.namespaceOn(engines),
		Login:      KnownLogins(j.Secrets, login),
		Secret:     func(value string) { j.Secrets.Add(value) },
		Push:       j.pushes(engines, place),
		Mirrors:    j.plan.Mirrors,
		Unmirrored: j.warnOfMirrors,
		CacheLogin: cacheLogin(j.cloud.Config.Credentials, engines),
		Retry:      retry,
		Renew:      j.renew,
		Status:     display.Status,
		Retrying:   display.Retrying,
	})
	display.Close()
	if err != nil {
		return nil, err
	}
	j.tellCaches(results)
	return j.sortResults(ctx, results)
}

// sortResults tells of each failure and gives the results by service if there is none.
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
func (j *job) pushes(engines []*engine.Engine, place solve.S3Place) map[string]solve.Push {
	out := map[string]solve.Push{}
	for _, c := range j.components {
		if !c.Build {
			// Linked services are among the targets: nobody asks for the others.
			continue
		}
		repo := c.Repository.URI
		p := solve.Push{Repository: repo.Name(), Insecure: repo.Scheme() == "http", Inputs: c.Target.Inputs(j.plan.Root, platformOf(engines[0]))}
		if engines[0].Images != nil {
			p.Built = j.before.ByConfig(c.Repository.Ref, solve.InputsAnnotation, p.Inputs)
		}
		p.CacheFrom, p.CacheTo = j.caches(c, engines, place)
		out[c.Target.Service] = p
	}
	return out
}

// renew drops the token of the registry that refused it.
func (j *job) renew(service string) bool {
	for _, c := range j.components {
		if c.Target.Service == service {
			j.logins.Invalidate(c.Repository.URI.RegistryStr())
			return true
		}
	}
	return false
}

// login gives ECR tokens for the hosts that registry.Logins trusts, and the user's own
// docker logins for the other registries of the plan.
func (j *job) login() (solve.AuthFunc, error) {
	file, err := config.Load(j.Getenv("DOCKER_CONFIG"))
	if err != nil {
		return nil, fault.NewInput("docker config", err.Error(), "correct the file, or name another directory with DOCKER_CONFIG")
	}
	j.planned = &planned{targets: j.plan.Targets(), mirrors: j.plan.Mirrors, note: func(name string) {
		j.Debugf("the engine asked for a login for %q, which no image of the plan is in: it gets none", name)
	}}
	docker := j.planned.only(dockerLogins(file))
	return func(ctx context.Context, host string) (types.AuthConfig, error) {
		c, known, err := j.logins.Credentials(ctx, host)
		if err != nil {
			return types.AuthConfig{}, err
		}
		if known {
			return types.AuthConfig{Username: c.Username, Password: c.Password.Reveal()}, nil
		}
		return docker(ctx, host)
	}, nil
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

// stale tells whether an ECR token is past its end. The token is base64 of a JSON object
// with the end in seconds since 1970; one that reads otherwise is taken as good.
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
	Failed  []string
	stopped []string
	// remedy is what to do about one of them, if that is known.
	remedy string
}

// Hint is what to do about it.
func (e *FailedError) Hint() string { return e.remedy }

// Error counts the failed services; what failed in each has been told.
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
func NewLogin(host *project.Host, p *project.Plan, logins *registry.Logins) (solve.AuthFunc, error) {
	j := &job{Host: host, plan: p, logins: logins}
	login, err := j.login()
	if err != nil {
		return nil, err
	}
	return KnownLogins(host.Secrets, login), nil
}
