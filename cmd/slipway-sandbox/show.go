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
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/spf13/cobra"
)

func newShow() *cobra.Command {
	var addr, region string
	c := &cobra.Command{
		Use:   "show",
		Short: "Show the repositories of a running sandbox: images, tags, lifecycle rules",
		Long: `show asks the ECR of a running sandbox, as any AWS client would, for its
repositories, and prints each one's images with their tags and its lifecycle rules.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("show takes no arguments, got %q", args)}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			client := ecr.New(ecr.Options{
				Region:       region,
				BaseEndpoint: aws.String("http://" + addr),
				Credentials:  credentials.NewStaticCredentialsProvider("sandbox", "sandbox", ""),
			})
			return runShow(c.Context(), client, c.OutOrStdout())
		},
	}
	c.Flags().StringVar(&addr, "addr", "127.0.0.1:4566", "host:port that the sandbox listens on")
	c.Flags().StringVar(&region, "region", "us-east-1", "region to show")
	return c
}

func runShow(ctx context.Context, client *ecr.Client, out io.Writer) error {
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
