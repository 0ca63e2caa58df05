package inspect

import (
	"testing"

	"github.com/google/go-containerregistry/pkg/name"

	"slipway/registry"
	"slipway/registry/record"
	"slipway/registry/revisions"
)

// TestRecordedIn finds the repository of a component among those of one name.
func TestRecordedIn(t *testing.T) {
	t.Parallel()
	here, there := registry.Ref{Region: "eu-west-1", Name: "shop/web"}, registry.Ref{Region: "us-east-1", Name: "shop/web"}
	repos := []registry.Repository{{Ref: here}, {Ref: there}}
	r := revisions.Revision{Images: map[registry.Ref]revisions.ImageDetail{here: {Digest: sum("here")}, there: {Digest: sum("there")}}}
	for digest, want := range map[string]int{sum("here"): 0, sum("there"): 1, sum("gone"): 0} {
		if got := recordedIn(repos, r, record.Component{Repository: "shop/web", Digest: digest}); got != want {
			t.Errorf("%s is in repository %d, want %d", digest, got, want)
		}
	}
	if got := recordedIn(repos, r, record.Component{Repository: "shop/other"}); got != -1 {
		t.Errorf("another repository is found as %d", got)
	}
}

// TestPair compares services by their repositories, whatever a service is called.
func TestPair(t *testing.T) {
	t.Parallel()
	component := func(service, repository, digest string) Component {
		uri, err := name.NewRepository("host.example/" + repository)
		if err != nil {
			t.Fatal(err)
		}
		return Component{Service: service, Repository: uri.Name(), Digest: sum(digest)}
	}
	a := []Component{component("web", "shop/web", "1"), component("old", "shop/old", "1"), component("", "shop/plain", "1")}
	b := []Component{component("plain", "shop/plain", "1"), component("site", "shop/web", "2"), component("new", "shop/new", "1")}
	want := []Difference{{Service: "plain", State: Same}, {Service: "site", State: Changed}, {Service: "new", State: Added}, {Service: "old", State: Removed}}
	pairs := pair(a, b)
	if len(pairs) != len(want) {
		t.Fatalf("%d pairs, want %d", len(pairs), len(want))
	}
	for i, p := range pairs {
		if got := p.difference("one", "two"); got.Service != want[i].Service || got.State != want[i].State {
			t.Errorf("service %d is %s, %s; want %s, %s", i, got.Service, got.State, want[i].Service, want[i].State)
		}
	}
}
