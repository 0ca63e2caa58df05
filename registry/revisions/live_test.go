package revisions

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"slipway/registry"
)

// TestMigratesFromDeployed works on repositories that an earlier version made: they
// let deployed move, and none of the tags that replace it.
func TestMigratesFromDeployed(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a")
	one, two, three := s.push(s.images(), "one"), s.push(s.images(), "two"), s.push(s.images(), "three")
	repo := s.repos[0]
	s.move(0, registry.TagLatest, two[0])
	s.move(0, registry.TagDeployed, one[0])
	_, err := s.clients(repo.Region).PutImageTagMutability(t.Context(), &ecr.PutImageTagMutabilityInput{
		RegistryId: aws.String(repo.Account), RepositoryName: aws.String(repo.Name),
		ImageTagMutability: types.ImageTagMutabilityImmutableWithExclusion,
		ImageTagMutabilityExclusionFilters: []types.ImageTagMutabilityExclusionFilter{
			{Filter: aws.String("latest"), FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard},
			{Filter: aws.String("deployed"), FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	live := registry.LiveTag("shop", "web")
	for _, step := range []struct {
		name                   string
		images                 []string
		running                string
		previous, live, before string
	}{
		{"two", two, "", one[0], "", ""}, // nothing moves: what deployed protected is kept
		{"three", three, two[0], two[0], two[0], ""},
		{"one", one, three[0], three[0], three[0], two[0]},
		{"one", one, one[0], three[0], one[0], three[0]},
	} {
		p := s.publication(step.name, step.images)
		if step.running != "" {
			p.Running = map[registry.Ref]string{repo.Ref: step.running}
			p.Live = Live{}
			p.Live.Set(repo.Ref, live, step.running)
		}
		s.published(p)
		tags := s.server.Tags(repo.Name)
		if tags[registry.TagPrevious] != step.previous || tags[live] != step.live || tags[registry.PreviousOf(live)] != step.before {
			t.Errorf("%s: tags are %v, want %+v", step.name, tags, step)
		}
	}
}
