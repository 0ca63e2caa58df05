package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"slipway/artifact"
	"slipway/build"
	"slipway/internal/allow"
	"slipway/internal/plain"
	"slipway/registry"
)

// retentionCommand are the flags of `slipway retention`.
type retentionCommand struct {
	project projectOptions
	aws     awsOptions
	policy  retentionOptions
	buckets []string
	preview bool
	output  string
}

func newRetentionCommand(w *world) *cobra.Command {
	var o retentionCommand
	c := &cobra.Command{
		Use:   "retention [SERVICE...]",
		Short: "Apply or preview the 7-day policies of the repositories and of S3 prefixes",
		Long: `Writes the lifecycle policy of the project's repositories where it differs: what latest,
deployed and buildcache stand on is kept, anything else expires 7 days after its push.
Rules that others put there are kept; where the two cannot live together nothing is
written and the rules are named, unless --replace-policy says otherwise.

With --bucket, a rule for the prefix is merged into the bucket's lifecycle rules as well;
where there is no compose file, the buckets are all.

--preview writes nothing, and asks ECR what would expire now.`,
		Example: `  slipway retention --preview
  slipway retention --bucket s3://my-artifacts/definitions/`,
		RunE: func(c *cobra.Command, args []string) error {
			o.project.services = args
			return runRetention(c.Context(), w, o)
		},
	}
	f := c.Flags()
	o.project.flags(f)
	o.aws.flags(f)
	o.policy.flags(f)
	f.StringSliceVar(&o.buckets, "bucket", nil, "s3:// `URL` of a bucket or a prefix in it whose objects go too")
	f.BoolVar(&o.preview, "preview", false, "write nothing; tell what would change and what would expire")
	f.StringVar(&o.output, "output", "text", "form of the result on stdout: text or json")
	return c
}

// retained is one element of the array that `retention --output json` prints.
type retained struct {
	// Target is a repository's URI or an s3:// URL.
	Target string `json:"target"`
	// Changed tells whether the policy was written or, in a preview, would be.
	Changed bool `json:"changed"`
	// Conflict says why nothing was or would be written.
	Conflict string `json:"conflict,omitempty"`
	// Expires are the images that would go now; in a preview only.
	Expires []expiry `json:"expires,omitempty"`
}

type expiry struct {
	Digest string    `json:"digest"`
	Tags   []string  `json:"tags,omitempty"`
	Pushed time.Time `json:"pushed"`
}

func runRetention(ctx context.Context, w *world, o retentionCommand) error {
	if err := o.policy.check(); err != nil {
		return err
	}
	if err := checkOutput(o.output); err != nil {
		return err
	}
	var places []artifact.S3Location
	for _, url := range o.buckets {
		loc, err := artifact.ParseS3Prefix(url)
		if err != nil {
			return &usageError{fmt.Errorf("--bucket: %w", err), "write s3://bucket or s3://bucket/prefix/"}
		}
		places = append(places, loc)
	}
	refs, err := o.repositories(ctx, w)
	if err != nil {
		return err
	}
	cloud, err := openCloud(ctx, w.log, o.aws)
	if err != nil {
		return err
	}
	results, err := o.apply(ctx, w, cloud, refs)
	if err != nil {
		return refused(err)
	}
	for _, loc := range places {
		changed, _, err := artifact.ApplyBucketRetention(ctx, cloud.s3(), loc.Bucket, loc.Key, int32(o.policy.days), o.preview)
		if err != nil {
			return refused(err)
		}
		results = append(results, retained{Target: loc.String(), Changed: changed})
	}
	return o.print(w, results)
}

// repositories are the project's. With buckets to see to, a project is not needed.
func (o retentionCommand) repositories(ctx context.Context, w *world) ([]registry.Ref, error) {
	project, err := loadAllowed(ctx, w, o.project, func(project *types.Project, wanted *allow.Wanted) error {
		return askRepositories(w, project, wanted)
	})
	if err != nil {
		if errors.Is(err, build.ErrNoProject) && len(o.buckets) > 0 {
			return nil, nil
		}
		return nil, err
	}
	all, err := build.Others(project, nil)
	if err != nil {
		return nil, err
	}
	var refs []registry.Ref
	asked := map[string]bool{}
	for _, name := range o.project.services {
		asked[name] = true
	}
	for _, t := range all {
		if len(asked) > 0 && !asked[t.Service] {
			continue
		}
		delete(asked, t.Service)
		ref, err := repositoryOf(t, project.Name, w.lookupenv)
		if err != nil {
			return nil, err
		}
		refs = append(refs, ref)
	}
	for name := range asked {
		return nil, inputError("services", fmt.Sprintf("no service %q with a build section", name), "name services of the compose file")
	}
	return refs, nil
}

func (o retentionCommand) apply(ctx context.Context, w *world, c *cloud, refs []registry.Ref) ([]retained, error) {
	found, missing, err := registry.Find(ctx, c.clients(), refs)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		return nil, &registry.MissingError{Refs: missing}
	}
	results := make([]retained, len(refs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(retentionCalls)
	for i, ref := range refs {
		g.Go(func() (err error) {
			results[i], err = o.applyOne(ctx, w, c, found[ref])
			return err
		})
	}
	return results, g.Wait()
}

func (o retentionCommand) applyOne(ctx context.Context, w *world, c *cloud, repo registry.Repository) (retained, error) {
	out := retained{Target: repo.URI.Name()}
	var (
		result   registry.RetentionResult
		expiring []registry.Expiry
		err      error
	)
	client := c.clients()(repo.Region)
	if o.preview {
		result, expiring, err = registry.PreviewRetention(ctx, client, repo, o.policy.days, o.policy.replace, registry.Wait{})
	} else {
		result, err = registry.ApplyRetention(ctx, client, repo, o.policy.days, o.policy.replace)
	}
	var clash *registry.ConflictError
	if errors.As(err, &clash) {
		out.Conflict = clash.Error()
		return out, nil
	}
	out.Changed = result.Outcome.Changed
	if err == nil && !o.preview {
		tellDropped(w, repo, result.Outcome)
	}
	for _, e := range expiring {
		out.Expires = append(out.Expires, expiry{e.Digest, e.Tags, e.PushedAt})
	}
	return out, err
}

func (o retentionCommand) print(w *world, results []retained) error {
	conflicts := 0
	for _, r := range results {
		if r.Conflict != "" {
			conflicts++
			w.log.Warn().Msgf("%s: %s", r.Target, r.Conflict)
		}
	}
	if o.output == "json" {
		if err := writeJSON(w.stdout, results); err != nil {
			return err
		}
	} else {
		for _, r := range results {
			o.printOne(w, r)
		}
	}
	if conflicts > 0 {
		return &toldError{&awsError{err: fmt.Errorf("%s left as they are", plural(conflicts, "policy conflict"))}}
	}
	return nil
}

func (o retentionCommand) printOne(w *world, r retained) {
	state := "unchanged"
	switch {
	case r.Conflict != "":
		state = "conflict"
	case r.Changed && o.preview:
		state = "would change"
	case r.Changed:
		state = "changed"
	}
	plain.Fprintf(w.stdout, "%s  %s\n", r.Target, state)
	for _, e := range r.Expires {
		tags := strings.Join(e.Tags, ",")
		if tags == "" {
			tags = "untagged"
		}
		plain.Fprintf(w.stdout, "  would expire  %s  %s  pushed %s\n", e.Digest, tags, e.Pushed.UTC().Format(time.RFC3339))
	}
}
