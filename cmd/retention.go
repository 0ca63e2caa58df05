package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/spf13/cobra"

	"slipway/artifact"
	"slipway/internal/allow"
	"slipway/internal/fault"
	"slipway/project"
	"slipway/project/compose"
	"slipway/registry"
	"slipway/retention"
)

// retentionCommand are the flags of `slipway retention`.
type retentionCommand struct {
	project projectFlags
	aws     awsOptions
	policy  retention.Options
	buckets []string
	preview bool
	apply   bool
	yes     bool
	output  string
}

func newRetentionCommand(w *cli) *cobra.Command {
	var o retentionCommand
	c := &cobra.Command{
		Use:   "retention [SERVICE...]",
		Short: "Apply or preview the 7-day policies of the repositories and of S3 prefixes",
		Long: `Writes the lifecycle policy of the project's repositories where it differs: the images
that latest, live-*, previous-* and buildcache* point to are kept, any other expires 7 days after its
push. Rules that others put there are kept; where the two cannot live together nothing is
written and the rules are named, unless --replace-policy says otherwise.

Where a repository has no rules of slipway's yet, and holds images that would expire and
that slipway did not push, nothing is written anywhere without --apply. --apply shows the
number of these images, the newest of them and what ECS runs, and asks; without a terminal
it needs --yes. A running image that no protecting tag points to is never given up: slipway
build, or slipway rollback, protects it first.

With --bucket, a rule for the prefix is merged into the bucket's lifecycle rules as well;
where there is no compose file, the buckets are all. A prefix that holds objects needs
--apply too.

--preview writes nothing, and lists the images that ECR would expire now.`,
		Example: `  slipway retention --preview
  slipway retention --apply
  slipway retention --bucket s3://my-artifacts/definitions/`,
		RunE: func(c *cobra.Command, args []string) error {
			o.project.Services = args
			return runRetention(c.Context(), w, o)
		},
	}
	f := c.Flags()
	o.project.flags(f)
	o.project.onlyTrusted(f)
	o.aws.flags(f)
	addRetentionFlags(f, &o.policy)
	f.StringSliceVar(&o.buckets, "bucket", nil, "s3:// `URL` of a bucket or a prefix in it whose objects go too")
	f.BoolVar(&o.preview, "preview", false, "write nothing; show the changes and the images that would expire")
	f.BoolVar(&o.apply, "apply", false, "write the policies that let images of others expire, after showing them")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask; --apply needs it where there is no terminal")
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
	// NeedsApply reports that only --apply writes it: Losses images, or objects of a
	// bucket, would be lost that slipway did not put there.
	NeedsApply bool `json:"needsApply,omitempty"`
	Losses     int  `json:"losses,omitempty"`
	// Expires are the images that would go now; in a preview only.
	Expires []expiry `json:"expires,omitempty"`
}

type expiry struct {
	Digest string    `json:"digest"`
	Tags   []string  `json:"tags,omitempty"`
	Pushed time.Time `json:"pushed"`
}

func runRetention(ctx context.Context, w *cli, o retentionCommand) error {
	if err := checkRetention(o.policy); err != nil {
		return err
	}
	if err := checkOutput(o.output); err != nil {
		return err
	}
	if o.preview && o.apply {
		return fault.New(fault.Usage, errors.New("--preview and --apply exclude each other"), "leave one of them out")
	}
	if !o.preview {
		if err := refuseUntrusted(w, o.project.Trust, "retention without --preview"); err != nil {
			return err
		}
	}
	var places []artifact.S3Location
	for _, url := range o.buckets {
		loc, err := artifact.ParseS3Prefix(url)
		if err != nil {
			return fault.New(fault.Usage, fmt.Errorf("--bucket: %w", err), "write s3://bucket or s3://bucket/prefix/")
		}
		places = append(places, loc)
	}
	composed, refs, err := o.repositories(ctx, w)
	if err != nil {
		return err
	}
	cloud, err := openAWS(ctx, w, o.aws)
	if err != nil {
		return err
	}
	r, err := retention.Apply(ctx, &w.Host, cloud, composed, refs, places, retention.ApplyOptions{Policy: o.policy, Preview: o.preview, Apply: o.apply, Yes: o.yes})
	if err != nil {
		return err
	}
	return printRetention(w, r, o)
}

// repositories returns the project and its repositories. With buckets to see to, a
// project is not needed.
func (o retentionCommand) repositories(ctx context.Context, w *cli) (*types.Project, []registry.Ref, error) {
	composed, err := project.Load(ctx, &w.Host, o.project.Options, func(composed *types.Project, wanted *allow.Wanted) error {
		return project.AskRepositories(&w.Host, composed, wanted)
	})
	if err != nil {
		if errors.Is(err, compose.ErrNoProject) && len(o.buckets) > 0 {
			return nil, nil, nil
		}
		return nil, nil, err
	}
	all, err := project.BuiltServices(composed, w.LookupEnv)
	if err != nil {
		return nil, nil, err
	}
	var refs []registry.Ref
	asked := map[string]bool{}
	for _, name := range o.project.Services {
		asked[name] = true
	}
	for _, s := range all {
		if len(asked) > 0 && !asked[s.Target.Service] {
			continue
		}
		delete(asked, s.Target.Service)
		if !slices.Contains(refs, s.Ref) {
			refs = append(refs, s.Ref)
		}
	}
	for name := range asked {
		if s, ok := composed.DisabledServices[name]; ok && len(s.Profiles) > 0 {
			return nil, nil, fault.NewInput("services."+name, "is behind "+profilesOf(s), "give --profile "+s.Profiles[0]+", or set COMPOSE_PROFILES")
		}
		return nil, nil, fault.NewInput("services", fmt.Sprintf("no service %q with a build section", name), "name services of the compose file")
	}
	return composed, refs, nil
}

// profilesOf names the profiles of a service.
func profilesOf(s types.ServiceConfig) string {
	word := "the profile "
	if len(s.Profiles) > 1 {
		word = "the profiles "
	}
	return word + strings.Join(s.Profiles, ", ")
}
