package build

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"slipway/build/engine"
	"slipway/build/solve"
	"slipway/build/target"
	"slipway/project"
	"slipway/registry"
)

// CheckCacheSecrets refuses to send credentials for S3 where others could read them.
func (o Options) CheckCacheSecrets() error {
	address := o.Engine.ClearText()
	if !project.CacheOnS3(o.Cache) || address == "" {
		return nil
	}
	return badInput(ClearTextCache, o.Engine.AddressFrom,
		"%s is on another host and not reached by TLS: the credentials for the cache at %s would travel in clear text", address, o.Cache)
}

// cacheTagNames are the tags that caches in the repositories have: one for each of several
// engines. There are none where the caches lie elsewhere.
func (o Options) cacheTagNames() []string {
	if o.Cache != project.CacheAuto && o.Cache != project.CacheRegistry {
		return nil
	}
	var tags []string
	for _, p := range o.cachePlatforms() {
		tags = append(tags, registry.CacheTag(p))
	}
	return tags
}

// cachePlatforms are the platforms of the engines that have caches of their own; one empty
// platform stands for the only engine.
func (o Options) cachePlatforms() []string {
	if named := o.Engine.Platforms(); len(named) > 0 {
		return named
	}
	return []string{""}
}

// caches are those that each engine reads and writes for a service. base names a service
// without a repository, whose caches lie next to those of the repository's own service;
// otherwise it is empty. A cache that is not there yet is not asked for: BuildKit would
// look for it twice, with and without a login, before each solve.
func (j *job) caches(repo registry.Repository, base string, engines []*engine.Engine, place target.S3Place) (from, to []target.Cache) {
	for _, e := range onePerPlatform(engines) {
		read, write := j.cachesOn(e, repo, base, place)
		for _, cache := range read {
			cache.Platform = e.Platform
			from = append(from, cache)
		}
		for _, cache := range write {
			cache.Platform = e.Platform
			to = append(to, cache)
		}
	}
	return from, to
}

// cacheMode is the mode of the cache on an engine. A Docker engine with the classic store
// exports no cache but an inline one, and the fresh host of a CodeBuild job needs one: what
// it does not find in a cache has new times, and with them a new digest.
func (j *job) cacheMode(e *engine.Engine) string {
	if j.options.Cache == project.CacheAuto && e.Images != nil && j.plan.Env.InCodeBuild {
		return project.CacheInline
	}
	return j.options.Cache
}

func (j *job) cachesOn(e *engine.Engine, repo registry.Repository, base string, place target.S3Place) (from, to []target.Cache) {
	mode := j.cacheMode(e)
	tag := registry.CacheTag(e.Platform)
	if base != "" {
		tag = registry.BaseCacheTag(e.Platform, base)
	}
	switch {
	case mode == project.CacheNone, mode == project.CacheInline && base != "":
		return nil, nil // the image of a base has no tag to be found by
	case project.CacheOnS3(mode):
		// The name is the repository's, with what the tag has in addition to
		// TagCache.
		read, write := target.S3Cache(place, repo.Name+strings.TrimPrefix(tag, registry.TagCache))
		if !j.options.exportsCache(j.plan) {
			return []target.Cache{read}, nil
		}
		return []target.Cache{read}, []target.Cache{write}
	case mode == project.CacheInline:
		tag = registry.TagLatest // its cache is in the image itself
		to = []target.Cache{{Type: "inline"}}
	}
	read, write := target.RegistryCache(repo.URI.Tag(tag).Name())
	if _, ok := j.before.ByTag(repo.Ref, tag); ok {
		from = []target.Cache{read}
	}
	auto := mode == project.CacheAuto && e.Images == nil && (j.plan.Env.InCodeBuild || e.Fresh) && repo.CheckMovable([]string{tag}) == nil
	if (mode == project.CacheRegistry || auto) && j.options.exportsCache(j.plan) {
		to = []target.Cache{write}
	}
	return from, to
}

// s3Place is where the caches lie, if they do on S3.
func (j *job) s3Place(ctx context.Context) (target.S3Place, error) {
	if !project.CacheOnS3(j.options.Cache) {
		return target.S3Place{}, nil
	}
	loc, err := project.CacheLocation(j.options.Cache)
	if err != nil {
		return target.S3Place{}, err
	}
	client := j.cloud.S3()
	place := target.S3Place{Bucket: loc.Bucket, Prefix: loc.Key, Region: bucketRegion(ctx, client, loc.Bucket), Endpoint: aws.ToString(client.Options().BaseEndpoint)}
	if place.Region == "" {
		place.Region = j.cloud.Config.Region
	}
	return place, nil
}

// regionTime is how long S3 may take to name a bucket's region.
const regionTime = 5 * time.Second

// bucketRegion asks S3 for a bucket's region; empty where it does not say. S3 names it in
// each of its answers to HeadBucket, a refusal included, whoever asks.
func bucketRegion(ctx context.Context, client *s3.Client, bucket string) string {
	ctx, cancel := context.WithTimeout(ctx, regionTime)
	defer cancel()
	out, err := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(bucket)}, func(o *s3.Options) { o.RetryMaxAttempts = 1 })
	if err == nil {
		return aws.ToString(out.BucketRegion)
	}
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) && answer.Response != nil {
		return answer.Response.Header.Get("X-Amz-Bucket-Region")
	}
	return "" // what is wrong with the bucket, the engine says
}

// lasting is how long credentials must be good for to be handed to an engine for a request.
const lasting = 15 * time.Minute

// cacheLogin gives the engines credentials for S3, those of the moment for each request,
// but none to those that find the same by themselves, and renew them: engines on this host
// if they are the role's that the host has. A managed engine does not have this process's
// credentials in its environment.
func cacheLogin(from aws.CredentialsProvider, engines []*engine.Engine) func(context.Context, target.Cache) (map[string]string, error) {
	here, readable := map[string]bool{}, map[string]bool{}
	for _, e := range engines {
		before, known := here[e.Platform] // another engine of the pool
		here[e.Platform] = e.SameHost && (before || !known)
		readable[e.Platform] = e.ClearText || readable[e.Platform]
	}
	return func(ctx context.Context, c target.Cache) (map[string]string, error) {
		if c.Type != "s3" || readable[c.Platform] {
			return nil, nil
		}
		cred, err := freshCredentials(ctx, from, time.Now())
		if err != nil {
			return nil, fmt.Errorf("no AWS credentials: %w", err)
		}
		if here[c.Platform] && cred.Source == ec2rolecreds.ProviderName {
			return nil, nil
		}
		return target.S3Credentials(cred.AccessKeyID, cred.SecretAccessKey, cred.SessionToken), nil
	}
}

// freshCredentials asks again for credentials that soon end.
func freshCredentials(ctx context.Context, from aws.CredentialsProvider, now time.Time) (aws.Credentials, error) {
	cred, err := from.Retrieve(ctx)
	cache, ok := from.(interface{ Invalidate() })
	if err != nil || !ok || !cred.CanExpire || cred.Expires.Sub(now) > lasting {
		return cred, err
	}
	cache.Invalidate()
	return from.Retrieve(ctx)
}

// tellCaches says once, for all services, what was wrong with the layer caches.
func (j *job) tellCaches(ctx context.Context, results []solve.Result) {
	if ctx.Err() != nil {
		return // an interrupted build says so itself
	}
	var parts []string
	for _, writing := range []bool{false, true} {
		if p := cacheTrouble(results, writing); p != "" {
			parts = append(parts, p)
		}
	}
	if len(parts) > 0 {
		j.Warnf("the layer cache could not be %s; the builds do not need it, but take longer without it", strings.Join(parts, ", nor "))
	}
}

// cacheTrouble names the services whose caches could not be read, or written, and a reason.
func cacheTrouble(results []solve.Result, writing bool) string {
	var services []string
	reason := ""
	for _, r := range results {
		for _, e := range r.Cache {
			if e.Writing != writing || slices.Contains(services, r.Service) {
				continue
			}
			services = append(services, r.Service)
			if reason == "" {
				reason = e.Err.Error()
			}
		}
	}
	if reason == "" {
		return ""
	}
	verb := "read"
	if writing {
		verb = "written"
	}
	reason = strings.Join(strings.Fields(awsNoise.ReplaceAllString(reason, "")), " ")
	return fmt.Sprintf("%s for %s (%s)", verb, strings.Join(services, ", "), reason)
}

// awsNoise is the text that an SDK puts before the answer itself.
var awsNoise = regexp.MustCompile(`, https response error StatusCode: \d+, RequestID: [^,]*, HostID: [^,]*`)
