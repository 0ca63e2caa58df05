package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"slipway/internal/testkit"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"
)

func TestFindAsksOnce(t *testing.T) {
	t.Parallel()
	server, clients := testkit.StartECR(t)
	refs := []Ref{{Name: "shop/one"}, {Name: "shop/two"}, {Name: "shop/three"}}
	mustCreate(t, server, clients, refs...)
	found, missing, err := Find(t.Context(), clients, append(refs, refs[0]))
	if err != nil || len(missing) != 0 || len(found) != 3 {
		t.Fatalf("found %v, missing %v, %v", found, missing, err)
	}
	testkit.WantECRCalls(t, server, "DescribeRepositories", 1)
	for _, ref := range refs {
		repo := found[ref]
		want := Ref{Account: testkit.HomeAccount, Region: testkit.HomeRegion, Name: ref.Name}
		if repo.Ref != want {
			t.Errorf("%v is at %v, want %v", ref, repo.Ref, want)
		}
		if got := repo.URI.String(); "http://"+got != server.URL()+"/"+ref.Name || repo.URI.Scheme() != "http" {
			t.Errorf("%v: URI %s over %s", ref, got, repo.URI.Scheme())
		}
		if want := "arn:aws:ecr:" + testkit.HomeRegion + ":" + testkit.HomeAccount + ":repository/" + ref.Name; repo.ARN != want {
			t.Errorf("ARN %s, want %s", repo.ARN, want)
		}
		if repo.Mutability != types.ImageTagMutabilityImmutableWithExclusion || !slices.Equal(repo.Exclusions, []string{"latest*", "live-*", "previous-*", "buildcache*", "in-*"}) {
			t.Errorf("%v is %s %v", ref, repo.Mutability, repo.Exclusions)
		}
	}
}

func TestFindNothing(t *testing.T) {
	t.Parallel()
	found, missing, err := Find(t.Context(), func(string) *ecr.Client { t.Error("asked AWS"); return nil }, nil)
	if err != nil || len(found) != 0 || len(missing) != 0 {
		t.Errorf("found %v, missing %v, %v", found, missing, err)
	}
}

func TestFindNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	server, clients := testkit.StartECR(t)
	here := Ref{Name: "shop/here"}
	mustCreate(t, server, clients, here, Ref{Name: "other"})
	gone, also := Ref{Name: "shop/gone"}, Ref{Name: "shop/also-gone"}
	found, missing, err := Find(t.Context(), clients, []Ref{gone, here, also, gone})
	if err != nil || len(found) != 1 || found[here].Name != here.Name || !slices.Equal(missing, []Ref{gone, also}) {
		t.Fatalf("found %v, missing %v, %v", found, missing, err)
	}
	testkit.WantECRCalls(t, server, "DescribeRepositories", 2)

	server.ResetCalls()
	if _, missing, err = Find(t.Context(), clients, []Ref{gone}); err != nil || !slices.Equal(missing, []Ref{gone}) {
		t.Fatalf("missing %v, %v", missing, err)
	}
	testkit.WantECRCalls(t, server, "DescribeRepositories", 1)
}

func TestMissingError(t *testing.T) {
	t.Parallel()
	err := error(&MissingError{Refs: []Ref{{Name: "shop/a"}, {Account: testkit.HomeAccount, Region: testkit.HomeRegion, Name: "shop/b"}}})
	want := "no such repository: shop/a, shop/b (account 111111111111, region eu-west-1)"
	if err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestFindInSeveralAccountsAndRegions(t *testing.T) {
	t.Parallel()
	server, clients := testkit.StartECR(t)
	var refs, gone []Ref
	for _, account := range []string{testkit.HomeAccount, testkit.OtherAccount} {
		for _, region := range []string{testkit.HomeRegion, testkit.OtherRegion} {
			for _, name := range []string{"shop/one", "shop/two"} {
				refs = append(refs, Ref{Account: account, Region: region, Name: name})
			}
		}
	}
	mustCreate(t, server, clients, refs...)
	found, missing, err := Find(t.Context(), clients, refs)
	if err != nil || len(missing) != 0 {
		t.Fatalf("missing %v, %v", missing, err)
	}
	testkit.WantECRCalls(t, server, "DescribeRepositories", 4)
	uris := map[string]bool{}
	for _, ref := range refs {
		if found[ref].Ref != ref {
			t.Errorf("%v is described as %v", ref, found[ref].Ref)
		}
		uris[found[ref].URI.String()] = true
	}
	if len(uris) != len(refs) {
		t.Errorf("%d URIs for %d repositories", len(uris), len(refs))
	}

	gone = append(gone, Ref{Account: testkit.OtherAccount, Region: testkit.HomeRegion, Name: "shop/gone"})
	found, missing, err = Find(t.Context(), clients, append(gone, refs...))
	if err != nil || !slices.Equal(missing, gone) || len(found) != len(refs) {
		t.Fatalf("found %d, missing %v, %v", len(found), missing, err)
	}
}

func TestFindInChunks(t *testing.T) {
	t.Parallel()
	server, clients := testkit.StartECR(t)
	var refs []Ref
	for i := range maxNames + 1 {
		refs = append(refs, Ref{Name: fmt.Sprintf("shop/n%d", i)})
	}
	mustCreate(t, server, clients, refs...)
	found, missing, err := Find(t.Context(), clients, refs)
	if err != nil || len(found) != len(refs) || len(missing) != 0 {
		t.Fatalf("found %d, missing %v, %v", len(found), missing, err)
	}
	testkit.WantECRCalls(t, server, "DescribeRepositories", 2)
}

func TestFindTellsWhoRefused(t *testing.T) {
	t.Parallel()
	_, clients := testkit.StartECR(t)
	_, _, err := Find(t.Context(), clients, []Ref{{Account: "12", Name: "shop/one"}})
	var refused smithy.APIError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "describing repositories of the registry (account 12)") {
		t.Errorf("got %v, want AWS's error and the registry of account 12", err)
	}
}

// repositoryLister describes repositories as a registry whose pages are short,
// and which may refuse to be listed.
type repositoryLister struct {
	names  []string
	page   int
	closed bool

	mu    sync.Mutex
	calls int
}

func (s *repositoryLister) DescribeRepositories(_ context.Context, in *ecr.DescribeRepositoriesInput, _ ...func(*ecr.Options)) (*ecr.DescribeRepositoriesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	names := in.RepositoryNames
	for _, name := range names {
		if !slices.Contains(s.names, name) {
			return nil, &types.RepositoryNotFoundException{}
		}
	}
	out := &ecr.DescribeRepositoriesOutput{}
	if names == nil {
		if s.closed {
			return nil, &smithy.GenericAPIError{Code: "AccessDeniedException"}
		}
		from, _ := strconv.Atoi(aws.ToString(in.NextToken))
		to := min(from+s.page, len(s.names))
		if to < len(s.names) {
			out.NextToken = aws.String(strconv.Itoa(to))
		}
		names = s.names[from:to]
	}
	for _, name := range names {
		out.Repositories = append(out.Repositories, types.Repository{
			RegistryId: aws.String(testkit.HomeAccount), RepositoryName: aws.String(name), RepositoryUri: aws.String("registry.example/" + name),
		})
	}
	return out, nil
}

func TestDescribeListsPageByPage(t *testing.T) {
	t.Parallel()
	refs := []Ref{{Name: "a3", Region: testkit.HomeRegion}, {Name: "none"}, {Name: "a5"}}
	for name, tc := range map[string]struct {
		lister *repositoryLister
		calls  int
	}{
		"pages":         {&repositoryLister{page: 2}, 1 + 3},
		"may not list":  {&repositoryLister{closed: true}, 1 + 1 + 3},
		"one page":      {&repositoryLister{page: 100}, 1 + 1},
		"pages of five": {&repositoryLister{page: 5}, 1 + 1},
	} {
		t.Run(name, func(t *testing.T) {
			tc.lister.names = []string{"a1", "a2", "a3", "a4", "a5"}
			found, err := describe(t.Context(), tc.lister, refs)
			if err != nil || len(found) != 2 || found[refs[0]].Name != "a3" || found[refs[2]].Name != "a5" {
				t.Fatalf("found %v, %v", found, err)
			}
			if got := found[refs[0]]; got.Region != testkit.HomeRegion || got.Account != testkit.HomeAccount || got.URI.Scheme() != "https" {
				t.Errorf("got %+v, want https and %s of %s", got, testkit.HomeRegion, testkit.HomeAccount)
			}
			if tc.lister.calls != tc.calls {
				t.Errorf("%d calls, want %d", tc.lister.calls, tc.calls)
			}
		})
	}
}

func TestDescribeStopsListingWhenAllAreFound(t *testing.T) {
	t.Parallel()
	s := &repositoryLister{names: []string{"a1", "a2", "a3", "a4", "a5"}, page: 2}
	found, err := list(t.Context(), s, []Ref{{Name: "a1"}, {Name: "a2"}})
	if err != nil || len(found) != 2 || s.calls != 1 {
		t.Errorf("found %v, %v after %d calls", found, err, s.calls)
	}
}

func TestByRegistryAsksForEachNameOnce(t *testing.T) {
	t.Parallel()
	a, b := Ref{Name: "a1"}, Ref{Name: "b1"}
	abroad := Ref{Region: testkit.OtherRegion, Name: "a1"}
	groups := byRegistry([]Ref{a, abroad, b, a, abroad})
	if len(groups) != 2 || !slices.Equal(groups[0], []Ref{a, b}) || !slices.Equal(groups[1], []Ref{abroad}) {
		t.Errorf("got %v, want two groups of the regions", groups)
	}
}

func TestNewRepositorySpeaksHTTPOnLoopback(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"127.0.0.2:5000/shop":    "http",
		"localhost/shop":         "http",
		"[::1]:5000/shop":        "http",
		"registry.example/shop":  "https",
		"203.0.113.7:5000/shop":  "https",
		"localhost.example/shop": "https",
	} {
		repo, err := newRepository(Ref{Name: "shop"}, types.Repository{RepositoryUri: aws.String(uri)})
		if err != nil || repo.URI.Scheme() != want {
			t.Errorf("%s: %s, %v, want %s", uri, repo.URI.Scheme(), err, want)
		}
	}
}

func TestNewRepositoryRefusesOddURIs(t *testing.T) {
	t.Parallel()
	_, err := newRepository(Ref{Name: "shop"}, types.Repository{RepositoryUri: aws.String("no host")})
	if err == nil || !strings.Contains(err.Error(), `repositoryUri "no host" of shop`) {
		t.Errorf("got %v, want an error that names the repositoryUri", err)
	}
}
