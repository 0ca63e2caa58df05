package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/distribution/reference"
	docker "github.com/docker/cli/cli/config/types"

	"slipway/build/solve"
	"slipway/build/target"
)

// copies looks for the copies of images on mirrors. It returns the images that build
// would pull from their own registries.
func (d *doctor) copies(ctx context.Context, bases []target.Base, login solve.AuthFunc) (others []target.Base, out []Finding) {
	var copies []target.Base
	images := map[string][]target.Base{} // by the name of the copy
	for _, b := range bases {
		c := target.Base{Image: d.plan.Mirrors.Mirror(b.Image), Platform: b.Platform}
		if c.Image == b.Image {
			others = append(others, b)
			continue
		}
		copies = append(copies, c)
		images[c.Image] = append(images[c.Image], b)
	}
	for _, f := range d.lookFor(ctx, copies, login) {
		if f.Status == StatusFailed {
			others = append(others, images[f.Subject]...)
			f = Warned("check the name of the mirror; in ECR, look at its pull through cache rules", "is not on the mirror, and build pulls %s: %s", images[f.Subject][0].Image, f.Detail).of(f.Subject)
		}
		out = append(out, f)
	}
	return others, out
}

// dockerHub is the host of Docker Hub in image references.
const dockerHub = "docker.io"

// checkDockerHub warns of pulls from Docker Hub without a login in CodeBuild, whose
// hosts share the limit of their address
// (https://docs.docker.com/docker-hub/usage/).
func (d *doctor) checkDockerHub(ctx context.Context, bases []target.Base, login solve.AuthFunc) []Finding {
	images := fromDockerHub(bases)
	if !d.plan.Env.InCodeBuild || len(images) == 0 {
		return nil
	}
	if auth, err := login(ctx, "registry-1.docker.io"); err != nil || auth != (docker.AuthConfig{}) {
		return nil
	}
	account, region := "ACCOUNT", "REGION"
	if a, err := d.access(); err == nil {
		account = *a.caller.Account
	}
	if c, err := d.cloud(); err == nil {
		region = c.Config.Region
	}
	return []Finding{Warned(cacheRule(images, account, region), "Docker Hub limits the pulls of the address that CodeBuild's hosts share, and there is no login for %s", strings.Join(images, ", "))}
}

// fromDockerHub returns the names of the images on Docker Hub, each once.
func fromDockerHub(bases []target.Base) []string {
	var out []string
	for _, b := range bases {
		named, err := reference.ParseNormalizedNamed(b.Image)
		if err == nil && reference.Domain(named) == dockerHub && !slices.Contains(out, b.Image) {
			out = append(out, b.Image)
		}
	}
	return out
}

// cacheRule returns the commands for a pull through cache in ECR. Docker's official
// images are on ECR Public, which needs no login
// (https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-creating-rule.html).
func cacheRule(images []string, account, region string) string {
	registry := fmt.Sprintf("%s.dkr.ecr.%s.amazonaws.com", account, region)
	if !slices.ContainsFunc(images, func(image string) bool { return strings.Contains(image, "/") }) {
		return "create a pull through cache: `aws ecr create-pull-through-cache-rule --ecr-repository-prefix ecr-public --upstream-registry-url public.ecr.aws`, " +
			"and give `--mirror docker.io/library=" + registry + "/ecr-public/docker/library`"
	}
	return "create a pull through cache: `aws ecr create-pull-through-cache-rule --ecr-repository-prefix docker-hub --upstream-registry-url registry-1.docker.io " +
		fmt.Sprintf("--credential-arn arn:aws:secretsmanager:%s:%s:secret:ecr-pullthroughcache/docker-hub-SUFFIX`, ", region, account) +
		"and give `--mirror docker.io=" + registry + "/docker-hub`; the secret holds username and accessToken of Docker Hub"
}
