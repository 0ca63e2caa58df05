package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/spf13/cobra"

	"slipway/artifact"
	"slipway/artifact/source"
	"slipway/internal/awsclient"
	"slipway/internal/awsname"
	"slipway/internal/fault"
	"slipway/internal/phrase"
	"slipway/project"
	"slipway/project/compose"
)

// submitOptions are the flags of `slipway submit`.
type submitOptions struct {
	project       projectFlags
	aws           awsOptions
	url, dir      string
	respectIgnore bool
	allowSecrets  bool
	wait          bool
	pipeline      string
	timeout       time.Duration
	maxBytes      int64
	output        string
}

// submitTimeout is how long a pipeline is followed: builds, bake times and somebody's
// approval lie within.
const submitTimeout = time.Hour

func newSubmitCommand(w *cli) *cobra.Command {
	var o submitOptions
	c := &cobra.Command{
		Use:   "submit s3://BUCKET/KEY [DIR]",
		Short: "Pack a source directory and put it on the pipeline's S3 source, if it changed",
		Long: `Packs DIR (default: the project's directory) as a zip, without .git, and puts it where the
pipeline's S3 source looks, unless the same content is there already. The same content
always has the same bytes; permissions and symbolic links are kept.

Files that look like secrets are refused by name, and nothing is sent: .env and .env.*
(but for .env.example and its kin), .secret-*, keys and key stores, .aws/credentials, an
.npmrc with a token, whatever begins as a private key does, and the files of secrets in the
compose file: a job does not need the values. With --respect-ignore,
what .dockerignore and .gitignore name is neither sent nor looked at; Dockerfiles, compose
files and buildspecs go along whatever .dockerignore says, for the pipeline needs them.

The object's version goes to stdout. CodePipeline needs a bucket with versioning.

With --wait, the pipeline's execution that the version starts is followed to its end.`,
		Example: `  slipway submit s3://my-bucket/source.zip
  slipway submit --respect-ignore --wait --pipeline shop s3://my-bucket/source.zip ./shop`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			o.url = args[0]
			if len(args) > 1 {
				o.dir = args[1]
			}
			return runSubmit(c.Context(), w, o)
		},
	}
	f := c.Flags()
	o.project.flags(f)
	o.project.onlyTrusted(f)
	o.aws.flags(f)
	f.BoolVar(&o.respectIgnore, "respect-ignore", false, "leave out what .dockerignore and .gitignore files name")
	f.BoolVar(&o.allowSecrets, "allow-secrets", false, "send files that look like secrets too")
	f.BoolVar(&o.wait, "wait", false, "follow the pipeline's execution to its end; needs --pipeline")
	f.StringVar(&o.pipeline, "pipeline", "", "`name` of the pipeline to follow with --wait")
	f.DurationVar(&o.timeout, "timeout", submitTimeout, "how long to follow the pipeline")
	f.StringVar(&o.output, "output", "text", "form of the result on stdout: text or json")
	f.Int64Var(&o.maxBytes, "max-bytes", source.MaxArchive, "size of the zip above which it is refused")
	// Registered a line above, so that it is there to be hidden.
	_ = f.MarkHidden("max-bytes")
	return c
}

func (o submitOptions) check() error {
	switch {
	case o.wait && o.pipeline == "":
		return fault.New(fault.Usage, errors.New("--wait requires --pipeline"), "name the pipeline: --pipeline NAME")
	case o.timeout <= 0:
		return fault.New(fault.Usage, fmt.Errorf("--timeout: want a positive duration, have %s", o.timeout), "leave the flag out for an hour")
	case o.maxBytes < 1:
		return fault.New(fault.Usage, fmt.Errorf("--max-bytes: want 1 or more, have %d", o.maxBytes), "leave the flag out for 1 GiB")
	}
	if err := checkNamed("--pipeline", o.pipeline, "write the pipeline's name", awsname.CheckPipeline); err != nil {
		return err
	}
	return checkOutput(o.output)
}

func runSubmit(ctx context.Context, w *cli, o submitOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	if err := refuseUntrusted(w, o.project.Trust, "submit"); err != nil {
		return err
	}
	loc, err := submitLocation(o.url)
	if err != nil {
		return err
	}
	dir, err := o.read(ctx, w)
	if err != nil {
		return err
	}
	cloud, err := openAWS(ctx, w, o.aws)
	if err != nil {
		return err
	}
	follower := source.PipelineFollower{API: codepipeline.NewFromConfig(cloud.Config), Name: o.pipeline}
	if o.wait {
		if err := follower.Check(ctx); err != nil {
			return pipelineRefused(err)
		}
	}
	result, err := o.submit(ctx, w, cloud, loc, dir)
	if err != nil {
		return err
	}
	if o.output == "text" && result.VersionID != "" {
		if _, err := fmt.Fprintln(w.stdout, result.VersionID); err != nil {
			return err
		}
	}
	if o.wait {
		err = o.follow(ctx, w, follower, &result)
	}
	if o.output == "json" {
		err = errors.Join(err, writeJSON(w.stdout, result))
	}
	return err
}

func submitLocation(url string) (artifact.S3Location, error) {
	loc, err := artifact.ParseS3URL(url)
	if err != nil {
		return loc, fault.New(fault.Usage, err, "write the bucket and the key of the pipeline's source action, as in s3://my-bucket/source.zip")
	}
	return loc, nil
}

// read finds what will be sent, and refuses what must not be.
func (o submitOptions) read(ctx context.Context, w *cli) (*source.Source, error) {
	composed, err := o.compose(ctx, w)
	if err != nil {
		return nil, err
	}
	dir := o.dir
	if dir == "" {
		dir = composed.WorkingDir
	}
	tree, err := source.Read(ctx, source.Options{
		Dir: project.Absolute(w.Dir, dir), RespectIgnore: o.respectIgnore, AllowSecrets: o.allowSecrets, SecretFiles: compose.SecretFiles(composed),
	})
	if err != nil {
		return nil, err
	}
	for _, s := range tree.Special {
		w.Warnf("%q is left out: %s", s.Name, s.Reason)
	}
	for _, s := range tree.Secrets {
		w.Warnf("%q looks like a secret (%s) and is sent all the same", s.Name, s.Reason)
	}
	warnOfLinks(w, tree)
	return tree, nil
}

// compose reads the compose file of the directory, whose secrets are not sent. A named
// directory needs none, and may have any if secrets may be sent.
func (o submitOptions) compose(ctx context.Context, w *cli) (*types.Project, error) {
	options := o.project.Options
	if o.dir != "" && len(options.Files) == 0 {
		options.Dir = project.Absolute(w.Dir, o.dir)
		if info, err := os.Stat(options.Dir); err != nil || !info.IsDir() {
			return &types.Project{}, nil // source.Read refuses the directory
		}
	}
	composed, err := project.Load(ctx, &w.Host, options, nil)
	if err != nil && o.dir != "" && (o.allowSecrets || errors.Is(err, compose.ErrNoProject)) {
		return &types.Project{}, nil
	}
	return composed, err
}

// warnOfLinks warns of links that lead nowhere in the job that unpacks the archive.
func warnOfLinks(w *cli, tree *source.Source) {
	const most = 5
	links := tree.OutwardLinks()
	if len(links) == 0 {
		return
	}
	var names []string
	for _, name := range links[:min(most, len(links))] {
		names = append(names, strconv.Quote(name))
	}
	if more := len(links) - most; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	w.Warnf("the files that these links lead to are not sent, since they lie outside %s: %s",
		project.Relative(w.Dir, tree.Dir), strings.Join(names, ", "))
}

// submit packs and uploads.
func (o submitOptions) submit(ctx context.Context, w *cli, c *awsclient.Clients, loc artifact.S3Location, dir *source.Source) (submitted, error) {
	archive, err := dir.Pack(ctx, o.maxBytes)
	if err != nil {
		return submitted{}, err
	}
	defer archive.Close()
	left := ""
	if dir.LeftOut > 0 {
		left = fmt.Sprintf(", %d left out by ignore files", dir.LeftOut)
	}
	w.Infof("packed %s of %s as %s%s", phrase.Count(dir.Files(), "file"), project.Relative(w.Dir, dir.Dir), phrase.ByteCount(&archive.Size), left)
	shown := newUploadProgress(w, archive.Size)
	done, err := source.Submit(ctx, c.S3(), loc, archive, shown.report)
	shown.close()
	if err != nil {
		return submitted{}, uploadRefused(err)
	}
	result := submitted{
		URL: loc.String(), VersionID: done.VersionID, State: "unchanged",
		Content: "sha256:" + archive.Content, Files: dir.Files(), Bytes: archive.Size,
	}
	if done.Changed {
		result.State = "uploaded"
	}
	result.tell(w, done)
	return result, nil
}

// uploadRefused is refused with what is to do about an object that cannot be put.
func uploadRefused(err error) error {
	var (
		response *smithyhttp.ResponseError
		api      smithy.APIError
	)
	switch {
	case fault.KindOf(err) == fault.Usage, errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &api) && api.ErrorCode() == "NoSuchBucket":
		return fault.New(fault.AWS, err, "create the bucket, with versioning, or correct its name")
	case errors.As(err, &response) && response.HTTPStatusCode() == 301:
		return fault.New(fault.AWS, err, "the bucket lies in another region: name that with --region")
	}
	return refused(err)
}
