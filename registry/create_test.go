package registry

import (
	"strings"
	"testing"

	"slipway/internal/testkit"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

func TestCreate(t *testing.T) {
	t.Parallel()
	_, clients := testkit.StartECR(t)
	refs := []Ref{{Name: "shop/one"}, {Account: testkit.OtherAccount, Region: testkit.OtherRegion, Name: "shop/two"}}
	made, err := Create(t.Context(), clients, refs, map[string]string{"team": "shop", "by": "slipway"})
	if err != nil || len(made) != 2 {
		t.Fatalf("made %v, %v", made, err)
	}
	if got := made[refs[1]].Ref; got != refs[1] {
		t.Errorf("made %v, want %v", got, refs[1])
	}
	for _, repo := range made {
		if err := repo.CheckMovable(append(Protected(), LiveTag("", "web"), PreviousTag("", "web"), CacheTag("linux/arm64"), TagInputs+"1a2b", TagNewest)); err != nil {
			t.Error(err)
		}
		for _, tag := range []string{"1a2b3c4d5e6f", RecordTag("1a2b3c4d5e6f")} {
			if err := repo.CheckMovable([]string{tag}); err == nil {
				t.Errorf("%v lets %s move", repo.Ref, tag)
			}
		}
		in := &ecr.DescribeRepositoriesInput{RegistryId: aws.String(repo.Account), RepositoryNames: []string{repo.Name}}
		out, err := clients(repo.Region).DescribeRepositories(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		got := out.Repositories[0]
		if !got.ImageScanningConfiguration.ScanOnPush || got.EncryptionConfiguration.EncryptionType != types.EncryptionTypeAes256 {
			t.Errorf("%v: scanning %+v, encryption %+v", repo.Ref, got.ImageScanningConfiguration, got.EncryptionConfiguration)
		}
		tags, err := clients(repo.Region).ListTagsForResource(t.Context(), &ecr.ListTagsForResourceInput{ResourceArn: aws.String(repo.ARN)})
		if err != nil {
			t.Fatal(err)
		}
		byKey := map[string]string{}
		for _, tag := range tags.Tags {
			byKey[*tag.Key] = *tag.Value
		}
		if len(byKey) != 2 || byKey["team"] != "shop" || byKey["by"] != "slipway" {
			t.Errorf("%v: tags %v", repo.Ref, byKey)
		}
	}
}

func TestCreateLeavesWhatExists(t *testing.T) {
	t.Parallel()
	_, clients := testkit.StartECR(t)
	_, err := clients("").CreateRepository(t.Context(), &ecr.CreateRepositoryInput{
		RepositoryName: aws.String("shop/old"), ImageTagMutability: types.ImageTagMutabilityImmutable,
	})
	if err != nil {
		t.Fatal(err)
	}
	old, fresh := Ref{Name: "shop/old"}, Ref{Name: "shop/new"}
	made, err := Create(t.Context(), clients, []Ref{old, fresh}, nil)
	if err != nil || len(made) != 2 || made[old].Mutability != types.ImageTagMutabilityImmutable {
		t.Errorf("made %v, %v", made, err)
	}
}

func TestCreateTellsAllThatFailed(t *testing.T) {
	t.Parallel()
	_, clients := testkit.StartECR(t)
	made, err := Create(t.Context(), clients, []Ref{{Name: "Bad"}, {Name: "good"}, {Name: "b..ad"}}, nil)
	if err == nil || len(made) != 1 || made[Ref{Name: "good"}].Name != "good" {
		t.Fatalf("made %v, %v", made, err)
	}
	for _, want := range []string{"creating repository Bad: ", "creating repository b..ad: "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %q", want, err)
		}
	}
}
