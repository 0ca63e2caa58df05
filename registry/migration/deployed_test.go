package migration

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"slipway/internal/testkit"
	"slipway/registry"
	"slipway/registry/revisions"
)

// TestRemoveDeployed: the tag of earlier versions goes only where another tag
// protects a running image, and never with the image.
func TestRemoveDeployed(t *testing.T) {
	t.Parallel()
	server, clients := testkit.StartECR(t)
	repos := push(t, clients, map[string][][]string{
		"shop/kept":    {{"one", "deployed"}, {"two", "latest"}},
		"shop/moved":   {{"one", "deployed", "previous-latest"}, {"two", "latest"}},
		"shop/left":    {{"one", "deployed"}, {"two", "previous-latest"}, {"three", "latest"}},
		"shop/only":    {{"deployed"}, {"two", "previous-latest"}},
		"shop/current": {{"one", "previous-latest", "latest"}},
	})
	server.ResetCalls()
	for _, want := range [][]string{{"shop/left", "shop/moved"}, nil} {
		removed, err := RemoveDeployed(t.Context(), clients, read(t, clients, repos), repos)
		if err != nil {
			t.Fatal(err)
		}
		if got := names(removed); !slices.Equal(got, want) {
			t.Errorf("removed from %v, want %v", got, want)
		}
	}
	if got := deployed(read(t, clients, repos), repos); !slices.Equal(got, []string{"shop/kept", "shop/only"}) {
		t.Errorf("the tag is left in %v", got)
	}
	testkit.WantECRCalls(t, server, "BatchDeleteImage", 2)
}

// TestRemoveDeployedFails: an error in one repository keeps no other from losing
// the tag.
func TestRemoveDeployedFails(t *testing.T) {
	t.Parallel()
	_, clients := testkit.StartECR(t)
	both := [][]string{{"one", "deployed", "previous-latest"}, {"two", "latest"}}
	repos := push(t, clients, map[string][][]string{"shop/a": both, "shop/gone": both, "shop/z": both})
	snapshot := read(t, clients, repos)
	if _, err := clients("").DeleteRepository(t.Context(), &ecr.DeleteRepositoryInput{RepositoryName: aws.String("shop/gone"), Force: true}); err != nil {
		t.Fatal(err)
	}
	removed, err := RemoveDeployed(t.Context(), clients, snapshot, repos)
	var gone *types.RepositoryNotFoundException
	if !errors.As(err, &gone) || !slices.Equal(names(removed), []string{"shop/a", "shop/z"}) {
		t.Errorf("removed from %v, error %v", names(removed), err)
	}
}

// push creates repositories with an image for each list of tags.
func push(t *testing.T, clients registry.Clients, images map[string][][]string) []registry.Repository {
	t.Helper()
	var repos []registry.Repository
	for _, name := range slices.Sorted(maps.Keys(images)) {
		ref := registry.Ref{Region: testkit.HomeRegion, Name: name}
		created, err := registry.Create(t.Context(), clients, []registry.Ref{ref}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, tags := range images[name] {
			testkit.PushImage(t, created[ref].URI, testkit.ECRLogin(t, clients("")), tags...)
		}
		repos = append(repos, created[ref])
	}
	return repos
}

func read(t *testing.T, clients registry.Clients, repos []registry.Repository) *revisions.Snapshot {
	t.Helper()
	s, err := revisions.ReadTags(t.Context(), clients, repos, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// deployed returns the names of the repositories with the tag.
func deployed(s *revisions.Snapshot, repos []registry.Repository) []string {
	return names(slices.DeleteFunc(slices.Clone(repos), func(r registry.Repository) bool {
		_, there := s.ByTag(r.Ref, registry.TagDeployed)
		return !there
	}))
}

func names(repos []registry.Repository) []string {
	var out []string
	for _, r := range repos {
		out = append(out, r.Name)
	}
	return out
}
