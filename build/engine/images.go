package engine

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// Images is the image store of a Docker engine with the classic store. Its BuildKit puts
// images there and nowhere else, so that whoever wants to push one by digest has to read
// it back.
type Images struct{ client *client.Client }

// imageName is the name of images in the store while they are built. No other
// images have it, and no registry is asked for it.
const imageName = "slipway.invalid/build"

// leftover is the age at which an image of a job that was killed is taken for one.
const leftover = 24 * time.Hour

// Name is a name for an image while it is built: a new one each time, so that jobs on one
// engine do not take each other's images away.
func (s *Images) Name() string {
	return fmt.Sprintf("%s:%d-%s", imageName, time.Now().Unix(), strings.ToLower(rand.Text()))
}

// Save is the image as `docker save` writes it.
func (s *Images) Save(ctx context.Context, name string) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(idleTime, func() { cancel(fmt.Errorf("the Docker engine has sent nothing for %s", idleTime)) })
	defer timer.Stop()
	image, err := s.client.ImageSave(ctx, []string{name})
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		cancel(nil)
		return nil, err
	}
	return &stream{image, idleTime, cancel, ctx}, nil
}

// Remove removes the name from the image, and with its last name the image; the
// layers stay in the engine's build cache. It also removes the images of jobs
// that were killed.
func (s *Images) Remove(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	if _, err := s.client.ImageRemove(ctx, name, client.ImageRemoveOptions{}); err != nil && !cerrdefs.IsNotFound(err) {
		return fmt.Errorf("removing %s from the Docker engine: %w", name, err)
	}
	var list []struct{ RepoTags []string }
	filters := url.QueryEscape(`{"reference":{"` + imageName + `":true}}`)
	if err := get(ctx, s.client, "/v"+s.client.ClientVersion()+"/images/json?filters="+filters, &list); err != nil {
		return fmt.Errorf("looking for images left behind: %w", err)
	}
	for _, image := range list {
		for _, tag := range image.RepoTags {
			if old(tag, time.Now()) {
				// Another job may do the same: gone is gone.
				_, _ = s.client.ImageRemove(ctx, tag, client.ImageRemoveOptions{})
			}
		}
	}
	return nil
}

// old reports whether an image was named longer ago than any build takes. The
// name has the time.
func old(name string, now time.Time) bool {
	tag, ours := strings.CutPrefix(name, imageName+":")
	seconds, _, _ := strings.Cut(tag, "-")
	at, err := strconv.ParseInt(seconds, 10, 64)
	return ours && err == nil && now.Sub(time.Unix(at, 0)) > leftover
}
