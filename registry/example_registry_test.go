package registry_test

import (
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"slipway/registry"
)

func ExampleParseRef() {
	for _, s := range []string{
		"shop/express",
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/express",
		"ghcr.io/shop/express",
	} {
		ref, err := registry.ParseRef(s)
		if errors.Is(err, registry.ErrNotECR) {
			fmt.Println("somebody else's:", s)
			continue
		}
		fmt.Println(ref)
	}
	// Output:
	// shop/express
	// shop/express (account 123456789012, region eu-west-1)
	// somebody else's: ghcr.io/shop/express
}

func ExampleRepository_CheckMovable() {
	repo := registry.Repository{
		Ref:        registry.Ref{Account: "123456789012", Region: "eu-west-1", Name: "shop"},
		Mutability: types.ImageTagMutabilityImmutable,
	}
	fmt.Println(repo.CheckMovable([]string{registry.TagLatest}))
	// Output:
	// repository shop (account 123456789012, region eu-west-1) is IMMUTABLE, so latest cannot move; change that with:
	//   aws ecr put-image-tag-mutability --registry-id 123456789012 --region eu-west-1 --repository-name shop --image-tag-mutability IMMUTABLE_WITH_EXCLUSION --image-tag-mutability-exclusion-filters 'filterType=WILDCARD,filter=latest'
}

func ExampleSecret() {
	creds := registry.Credentials{Username: "AWS", Password: registry.NewSecret("token")}
	fmt.Printf("%v %d characters\n", creds, len(creds.Password.Reveal()))
	// Output:
	// {AWS REDACTED} 5 characters
}
