package registry

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

func TestCheckMovable(t *testing.T) {
	t.Parallel()
	const (
		im = types.ImageTagMutabilityImmutable
		mu = types.ImageTagMutabilityMutable
		ix = types.ImageTagMutabilityImmutableWithExclusion
		mx = types.ImageTagMutabilityMutableWithExclusion
	)
	const command = "aws ecr put-image-tag-mutability --registry-id 123456789012 --region eu-west-1 --repository-name shop/express --image-tag-mutability "
	const filters = " --image-tag-mutability-exclusion-filters"
	const three = " 'filterType=WILDCARD,filter=latest' 'filterType=WILDCARD,filter=deployed' 'filterType=WILDCARD,filter=buildcache'"
	for name, tc := range map[string]struct {
		mutability types.ImageTagMutability
		exclusions []string
		stuck      string
		remedy     string
	}{
		"mutable":                {mutability: mu},
		"unknown":                {mutability: "SOME_DAY"},
		"as created":             {mutability: ix, exclusions: append(movingPatterns(), TagDeployed)},
		"by wildcard":            {mutability: ix, exclusions: []string{"l*t", "*ed", "build*"}},
		"all by one":             {mutability: ix, exclusions: []string{"*"}},
		"other tags are fixed":   {mutability: mx, exclusions: []string{"v*", "late"}},
		"immutable":              {im, nil, "latest,deployed,buildcache", "IMMUTABLE_WITH_EXCLUSION" + filters + three},
		"one more is needed":     {ix, []string{"latest", "dep*"}, "buildcache", "IMMUTABLE_WITH_EXCLUSION" + filters + " 'filterType=WILDCARD,filter=latest' 'filterType=WILDCARD,filter=dep*' 'filterType=WILDCARD,filter=buildcache'"},
		"too many filters":       {ix, []string{"a", "b", "c"}, "latest,deployed,buildcache", "MUTABLE"},
		"a filter in the way":    {mx, []string{"v*", "l*"}, "latest", "MUTABLE_WITH_EXCLUSION" + filters + " 'filterType=WILDCARD,filter=v*'"},
		"the only filter":        {mx, []string{"latest"}, "latest", "MUTABLE"},
		"a filter is no pattern": {ix, []string{"lates.", "deploye[d]", "buildcache"}, "latest,deployed", "IMMUTABLE_WITH_EXCLUSION" + filters + " 'filterType=WILDCARD,filter=lates.' 'filterType=WILDCARD,filter=deploye[d]' 'filterType=WILDCARD,filter=buildcache' 'filterType=WILDCARD,filter=latest' 'filterType=WILDCARD,filter=deployed'"},
	} {
		t.Run(name, func(t *testing.T) {
			repo := Repository{
				Ref:        Ref{Account: "123456789012", Region: "eu-west-1", Name: "shop/express"},
				Mutability: tc.mutability, Exclusions: tc.exclusions,
			}
			err := repo.CheckMovable([]string{"latest", "deployed", "buildcache"})
			var immovable *ImmovableError
			if !errors.As(err, &immovable) {
				if err != nil || tc.stuck != "" {
					t.Fatalf("got %v, want stuck %q", err, tc.stuck)
				}
				return
			}
			if got := strings.Join(immovable.Tags, ","); got != tc.stuck {
				t.Errorf("stuck %q, want %q", got, tc.stuck)
			}
			if got := immovable.Remedy(); got != command+tc.remedy {
				t.Errorf("remedy\n%s\nwant\n%s", got, command+tc.remedy)
			}
			for _, part := range []string{"shop/express (account 123456789012, region eu-west-1)", string(tc.mutability), command} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in %q", part, err)
				}
			}
		})
	}
}
