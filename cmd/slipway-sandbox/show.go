package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/spf13/cobra"
)

func newShow() *cobra.Command {
	var at endpoint
	c := &cobra.Command{
		Use:   "show",
		Short: "Show what a running sandbox holds: images, tags, lifecycle rules, ECS services",
		Long: `show asks a running sandbox, as any AWS client would, for its ECR repositories,
and prints each one's images with their tags and its lifecycle rules; then for its
ECS services, and prints their task counts and the digests that their containers run.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("show takes no arguments, got %q", args)}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			clients := at.clients()
			if err := showRepositories(c.Context(), clients.ecr, c.OutOrStdout()); err != nil {
				return err
			}
			return showServices(c.Context(), clients.ecs, c.OutOrStdout())
		},
	}
	at.flags(c)
	return c
}

func showRepositories(ctx context.Context, client *ecr.Client, out io.Writer) error {
	pages := ecr.NewDescribeRepositoriesPaginator(client, &ecr.DescribeRepositoriesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, repo := range page.Repositories {
			if err := showRepository(ctx, client, repo, out); err != nil {
				return err
			}
		}
	}
	return nil
}

func showRepository(ctx context.Context, client *ecr.Client, repo types.Repository, out io.Writer) error {
	fmt.Fprintf(out, "%s (%s)\n", aws.ToString(repo.RepositoryUri), repo.ImageTagMutability)
	images, err := client.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: repo.RepositoryName})
	if err != nil {
		return err
	}
	slices.SortFunc(images.ImageDetails, func(a, b types.ImageDetail) int {
		return b.ImagePushedAt.Compare(*a.ImagePushedAt)
	})
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, i := range images.ImageDetails {
		slices.Sort(i.ImageTags)
		fmt.Fprintf(t, "  %.19s\t%s\n", aws.ToString(i.ImageDigest), strings.Join(i.ImageTags, ", "))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	policy, err := client.GetLifecyclePolicy(ctx, &ecr.GetLifecyclePolicyInput{RepositoryName: repo.RepositoryName})
	if err != nil {
		_, err = fmt.Fprintln(out, "  no lifecycle policy")
		return err
	}
	var document struct {
		Rules []struct {
			RulePriority int
			Description  string
		}
	}
	if err := json.Unmarshal([]byte(aws.ToString(policy.LifecyclePolicyText)), &document); err != nil {
		return fmt.Errorf("reading the lifecycle policy of %s: %w", aws.ToString(repo.RepositoryName), err)
	}
	for _, r := range document.Rules {
		fmt.Fprintf(out, "  rule %-4d %s\n", r.RulePriority, r.Description)
	}
	return nil
}
