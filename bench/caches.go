package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"slipway/build/target"
)

// variant is Slipway with certain flags, measured against Slipway with others.
type variant struct {
	slipway
	label string
}

func (v variant) name() string { return v.label }

func (b *bench) variant(label string, flags ...string) variant {
	return variant{slipway{bench: b, more: flags}, label}
}

// cacheBucket is where the caches on S3 lie.
const cacheBucket = "bench-layers"

// caches builds on an emptied engine from each kind of cache, with --rebuild. They are measured against
// the one in the repositories.
func (b *bench) caches(ctx context.Context) ([]row, error) {
	if err := b.stand.createBucket(ctx, cacheBucket); err != nil {
		return nil, err
	}
	who := []contestant{
		b.variant("in the repositories", "--cache", "registry", "--rebuild"),
		b.variant("on S3", "--cache", "s3://"+cacheBucket+"/layers", "--rebuild"),
		b.variant("inline", "--cache", "inline", "--rebuild"),
	}
	seeds, err := b.seed(ctx, who, func(i int) job { return job{prefix: fmt.Sprintf("caches-%d", i), tag: "seed"} })
	if err != nil {
		return nil, err
	}
	entries := b.againAs(who, seeds, newTag)
	for i := range entries {
		entries[i].prepare = func(ctx context.Context, _ int) error { return b.stand.engine.Renew(ctx) }
	}
	samples, err := interleave(ctx, b.runs*shortRuns, entries, b.tell("emptied engine, caches"))
	if err != nil {
		return nil, err
	}
	first := median(walls(samples[0]))
	var rows []row
	for i, c := range who[1:] {
		rows = append(rows, ratioRow("emptied engine, cache "+c.name(), median(walls(samples[i+1])), "cache "+who[0].name(), first, 0))
	}
	return rows, nil
}

// compression is a cold build in zstd, against the one in gzip, and that against bake at
// the level of gzip that Slipway uses.
func (b *bench) compression(ctx context.Context) ([]row, error) {
	r, err := b.coldWith(ctx, b.variant("zstd", "--compression", "zstd"), b.variant("gzip"))
	if r.what += ", --compression zstd"; err != nil || b.buildxBin == "" {
		return []row{r}, err
	}
	same := bake{b, fmt.Sprintf("bake with gzip level %d", target.GzipLevel), []string{"--set", fmt.Sprintf("*.output=type=registry,compression-level=%d", target.GzipLevel)}}
	level, err := b.coldWith(ctx, slipway{bench: b}, same)
	return []row{r, level}, err
}

// reproducible is the cost of rewriting the times in layers: in a cold build, and
// at each later export of layers that are in the engine.
func (b *bench) reproducible(ctx context.Context) ([]row, error) {
	who := []contestant{b.variant("reproducible", "--reproducible", "--rebuild"), b.variant("without", "--rebuild")}
	cold, err := b.coldWith(ctx, who[0], who[1])
	if err != nil {
		return nil, err
	}
	cold.what += ", --reproducible"
	seeds, err := b.seed(ctx, who, func(i int) job { return job{prefix: fmt.Sprintf("reproducible-%d", i), tag: "seed"} })
	if err != nil {
		return nil, err
	}
	samples, err := interleave(ctx, b.runs*shortRuns, b.againAs(who, seeds, newTag), b.tell("unchanged, reproducible"))
	if err != nil {
		return nil, err
	}
	again := ratioRow("nothing changed, --rebuild, --reproducible", median(walls(samples[0])), who[1].name(), median(walls(samples[1])), 0)
	return []row{cold, again}, nil
}

// coldWith builds on an emptied engine into empty repositories, with one variant
// against another.
func (b *bench) coldWith(ctx context.Context, ours, other contestant) (row, error) {
	var entries []entry
	for _, c := range []contestant{ours, other} {
		prefix := func(round int) string {
			return fmt.Sprintf("cold-%s-%d", strings.ReplaceAll(c.name(), " ", "-"), round)
		}
		entries = append(entries, entry{
			contestant: c,
			prepare: func(ctx context.Context, round int) error {
				return errors.Join(b.stand.engine.Renew(ctx), b.stand.createRepositories(ctx, prefix(round), b.project.services))
			},
			job: func(round int) job { return job{prefix: prefix(round), tag: "one"} },
			check: func(ctx context.Context, j job) error {
				_, err := b.pushed(ctx, j)
				return err
			},
		})
	}
	samples, err := interleave(ctx, b.runs, entries, b.tell("cold, "+ours.name()))
	if err != nil {
		return row{}, err
	}
	return ratioRow("cold build of eight services", median(walls(samples[0])), other.name(), median(walls(samples[1])), 0), nil
}

func (s *stand) createBucket(ctx context.Context, name string) error {
	vars := s.variables()
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(vars["AWS_ENDPOINT_URL"]),
		Region:       vars["AWS_REGION"],
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider(vars["AWS_ACCESS_KEY_ID"], vars["AWS_SECRET_ACCESS_KEY"], ""),
	})
	_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(name)})
	return err
}

// variables are those that point AWS clients at the sandbox.
func (s *stand) variables() map[string]string {
	vars := map[string]string{}
	for _, e := range s.env {
		k, v, _ := strings.Cut(e, "=")
		vars[k] = v
	}
	return vars
}
