package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"golang.org/x/sync/errgroup"

	"slipway/build"
	"slipway/build/solve"
	"slipway/build/target"
	"slipway/project"
	"slipway/registry"
)

// headCalls is how many registries are asked at once.
const headCalls = 8

// checkBases looks for the images that the Dockerfiles name. A running engine is asked to
// find them, as it will be for the build; one of slipway's own, or none, has this host's
// network, and a HEAD request from here counts as no pull.
func (d *doctor) checkBases(ctx context.Context) []Finding {
	bases, out := d.bases(ctx)
	bases, withheld := d.withhold(bases)
	out = append(out, withheld...)
	if len(bases) == 0 {
		if len(out) == 0 {
			out = append(out, Fine("none is needed"))
		}
		return out
	}
	login, err := d.login()
	if err != nil {
		return append(out, broken(err))
	}
	bases, copied := d.copies(ctx, bases, login)
	out = append(out, copied...)
	out = append(out, d.lookFor(ctx, bases, login)...)
	return append(out, d.checkDockerHub(ctx, bases, login)...)
}

// lookFor has the engine that build would use look for images, or this host.
func (d *doctor) lookFor(ctx context.Context, bases []target.Base, login solve.AuthFunc) []Finding {
	if len(bases) == 0 {
		return nil
	}
	engine, err := d.engine()
	if err != nil || engine.own() {
		return d.fromHere(ctx, bases, login)
	}
	each, err := solve.Resolve(ctx, engine.Client, bases, login)
	if err != nil {
		return []Finding{broken(fmt.Errorf("asking the engine for the base images: %w", err))}
	}
	return throughEngine(ctx, bases, each, login)
}

// bases returns the base images of all targets, and findings about Dockerfiles
// whose base images are not known.
func (d *doctor) bases(ctx context.Context) (all []target.Base, out []Finding) {
	for _, t := range d.plan.Targets() {
		bases, err := target.Bases(ctx, t)
		switch {
		case errors.Is(err, target.ErrUnreadable):
			out = append(out, Unchecked("", "not all are known: %v", err).of(t.Service))
		case err != nil:
			out = append(out, broken(err).of(t.Service))
		}
		for _, b := range bases {
			if !slices.Contains(all, b) {
				all = append(all, b)
			}
		}
	}
	slices.SortFunc(all, func(a, b target.Base) int { return strings.Compare(a.Image+" "+a.Platform, b.Image+" "+b.Platform) })
	return all, out
}

// withhold takes out the images in ECR where AWS gives no login for them.
func (d *doctor) withhold(bases []target.Base) (others []target.Base, out []Finding) {
	why := d.missing(needsAccess)
	if why == "" {
		return bases, nil
	}
	for _, b := range bases {
		if _, ours := project.RepositoryOfImage(b.Image); !ours {
			others = append(others, b)
		} else if !slices.ContainsFunc(out, func(f Finding) bool { return f.Subject == b.Image }) {
			out = append(out, Unchecked("", "%s", why).of(b.Image))
		}
	}
	return others, out
}

// login gives the logins that build would give.
func (d *doctor) login() (solve.AuthFunc, error) {
	clients, err := d.clients()
	if err != nil {
		// No image that needs one is asked for.
		clients = func(region string) *ecr.Client { return ecr.New(ecr.Options{Region: region}) }
	}
	logins := registry.NewLogins(clients, time.Now)
	if d.missing(needsRepositories) == "" {
		repos, err := d.repositories()
		if err != nil {
			return nil, err
		}
		for _, repo := range repos.found {
			logins.Register(repo.URI.RegistryStr(), repo.Region)
		}
	}
	return build.NewLogin(d.Host, d.build, d.plan, logins)
}

// fromHere asks for each image once, whatever its platforms.
func (d *doctor) fromHere(ctx context.Context, bases []target.Base, login solve.AuthFunc) []Finding {
	images := imagesOf(bases)
	out := make([]Finding, len(images))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(headCalls)
	for i, image := range images {
		g.Go(func() error {
			out[i] = Fine("is there").of(image)
			if _, err := solve.Head(ctx, image, login); err != nil {
				out[i] = broken(err).of(image)
			}
			return nil
		})
	}
	_ = g.Wait() // each finding has its error
	return out
}

// throughEngine reads the engine's answers. Its refusals are words; the registry itself is
// asked what they mean.
func throughEngine(ctx context.Context, bases []target.Base, each []solve.Resolved, login solve.AuthFunc) []Finding {
	var out []Finding
	for _, image := range imagesOf(bases) {
		f := Fine("the engine finds it").of(image)
		for i, b := range bases {
			if b.Image != image || each[i].Err == nil || f.Status == StatusFailed {
				continue
			}
			if _, err := solve.Head(ctx, image, login); err != nil {
				f = broken(err).of(image)
				continue
			}
			f = broken(fmt.Errorf("is there, but the engine cannot pull it for %s: %w", b.Platform, each[i].Err)).of(image)
			f.Remedy = "choose an image that has the platform; if it has, look at the engine's network, proxy and mirrors"
		}
		out = append(out, f)
	}
	return out
}

func imagesOf(bases []target.Base) []string {
	var out []string
	for _, b := range bases {
		if !slices.Contains(out, b.Image) {
			out = append(out, b.Image)
		}
	}
	return out
}
