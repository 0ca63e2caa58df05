package revisions

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
	"slipway/registry"
	"slipway/registry/manifests"
	"slipway/registry/record"
)

// recorded is a publication with records.
func (s *registryFixture) recorded(hash string, digests []string) Publication {
	p := s.publication(hash, digests)
	p.Record = &record.Record{Project: "shop", Commit: strings.Repeat(hash[:1], 40), Builder: "test"}
	return p
}

// wantRecord checks that the record of a revision in a repository refers to an image.
func (s *registryFixture) wantRecord(repo int, name, digest string) {
	s.t.Helper()
	if got := s.server.Children(s.repos[repo].Name, registry.RecordTag(name)); len(got) != 1 || got[0] != digest {
		s.t.Errorf("the record of %s in %s refers to %v, want %s", name, s.repos[repo].Name, got, digest)
	}
}

// retain gives the repositories the policy of seven days.
func (s *registryFixture) retain() {
	s.t.Helper()
	for _, repo := range s.repos {
		if _, err := registry.ApplyRetention(s.t.Context(), s.direct(repo.Region), repo, 7, false); err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestPublishMakesRecords: each repository has a record of the revision, one has the
// newest, and the same publication makes no second one. No round trip is added.
func TestPublishMakesRecords(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	one := s.push(s.images())
	s.server.ResetCalls()
	s.published(s.recorded("one", one))
	testkit.WantECRCalls(t, s.server, "BatchGetImage", 2)
	testkit.WantECRCalls(t, s.server, "PutImage", 7)
	testkit.WantECRCalls(t, s.server, "DescribeImages", 2)
	before := s.tags()
	for i := range s.repos {
		s.wantRecord(i, "one", one[i])
	}
	if before["shop/a:latest-revision"] != before["shop/a:revision-one"] || before["shop/b:latest-revision"] != "" {
		t.Errorf("the tags are %v, want the newest record in shop/a alone", before)
	}
	p := s.recorded("one", one)
	p.Record.Made = time.Now()
	s.published(p)
	s.wantState(before)
	snapshot, err := ReadTags(t.Context(), s.clients, s.repos, variantOf("one"), nil)
	if err != nil {
		t.Fatal(err)
	}
	r, of, ok := snapshot.Record(s.repos[1].Ref, "one")
	if !ok || r.Revision != "one" || r.Builder != "test" || of != one[1] {
		t.Errorf("Record() = %+v, %s, %v", r, of, ok)
	}
}

// TestRecordIsNoImage: an image that only a record refers to is not taken for a
// platform of it, so that no protecting tag goes to a record.
func TestRecordIsNoImage(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a")
	one := s.push(s.images())
	s.published(s.recorded("one", one))
	two := s.push(s.images())
	p := s.recorded("two", two)
	p.Running = map[registry.Ref]string{s.repos[0].Ref: one[0]}
	s.published(p)
	if got := s.server.Tags("shop/a"); got[registry.TagPrevious] != one[0] || got[registry.TagLatest] != two[0] {
		t.Errorf("the tags are %v, want previous-latest on %s and latest on %s", got, one[0], two[0])
	}
	s.move(0, registry.TagLatest, one[0]) // by hand: the newest record is still that of two
	snapshot, err := ReadTags(t.Context(), s.clients, s.repos, nil, map[registry.Ref][]string{s.repos[0].Ref: two})
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := snapshot.TaggedParent(s.repos[0].Ref, two[0]); !ok || got.Digest != two[0] {
		t.Errorf("TaggedParent(%s) = %s, want itself", two[0], got.Digest)
	}
	untagged := s.pushOne(0, image(t)) // may be a manifest of an index, so indexes are read
	listing, err := List(t.Context(), s.clients, s.repos)
	if err != nil {
		t.Fatal(err)
	}
	if err := listing.ReadIndexes(t.Context(), s.clients, map[registry.Ref][]string{s.repos[0].Ref: {one[0], untagged}}); err != nil {
		t.Fatal(err)
	}
	if got, ok := listing.Image(s.repos[0].Ref, one[0]); !ok || got.Digest != one[0] {
		t.Errorf("Image(%s) = %s, want itself", one[0], got.Digest)
	}
}

// TestRecordKeepsImage: an old image of a new revision stays seven days from then,
// and the computed expiry is the one of ECR.
func TestRecordKeepsImage(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	s.retain()
	quiet := s.pushOne(0, image(t))
	s.published(s.recorded("one", []string{quiet, s.pushOne(1, image(t))}))
	s.server.Advance(6 * day)
	s.auth = testkit.ECRLogin(t, s.direct(""))
	busy := s.pushOne(1, image(t))
	s.published(s.recorded("two", []string{quiet, busy}))
	s.server.Advance(time.Hour)
	s.auth = testkit.ECRLogin(t, s.direct(""))
	s.published(s.recorded("three", s.push(s.images())))
	s.server.Advance(time.Hour)
	s.auth = testkit.ECRLogin(t, s.direct(""))
	s.published(s.recorded("four", s.push(s.images()))) // neither latest nor deployed points to two
	policies, err := registry.ReadPolicies(t.Context(), s.clients, s.repos)
	if err != nil {
		t.Fatal(err)
	}
	listing, err := List(t.Context(), s.clients, s.repos)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(listing.Revisions(nil), func(r Revision) bool { return r.Name == "two" })
	two := listing.Revisions(nil)[i]
	at, verdict := two.Expiry(policies)
	if left := at.Sub(listing.At); verdict != "expires" || left < 6*day || left > 7*day {
		t.Errorf("two %s in %s, want in nearly seven days", verdict, left)
	}
	if age := listing.At.Sub(two.Made); age < time.Hour || age > day {
		t.Errorf("two was made %s ago, want two hours", age)
	}
	there := func() bool { return slices.Contains(s.server.Digests("shop/a"), quiet) }
	s.server.Advance(at.Sub(listing.At) - time.Minute)
	if !there() {
		t.Error("the image is gone before its revision")
	}
	s.server.Advance(2 * time.Minute)
	if there() {
		t.Error("the image outlives the revision")
	}
}

// TestRevertRemovesRecords: a publication that fails leaves no record, although the
// record keeps ECR from deleting the image.
func TestRevertRemovesRecords(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	s.published(s.recorded("one", s.push(s.images())))
	before := s.tags()
	for _, tag := range []string{"revision-two", "two", "latest", "latest-revision"} {
		for _, f := range []failure{refused, cut, lost} {
			s.transport.set(func(c ecrCall) failure {
				if c.action == "PutImage" && c.tag == tag && (tag == "latest-revision" || c.repository == "shop/b") {
					return f
				}
				return fine
			})
			_, err := Publish(t.Context(), s.clients, s.recorded("two", s.push(s.images())))
			s.transport.set(nil)
			if err == nil {
				if f != lost {
					t.Errorf("%s of %s: no error", f, tag)
				}
				continue
			}
			s.wantState(before)
		}
	}
}

// TestNestedRefused: where ECR refuses an index in an index, the record of several
// platforms refers to their manifests, and a promotion puts the index again.
func TestNestedRefused(t *testing.T) {
	t.Parallel()
	for _, refuses := range []bool{false, true} {
		t.Run(fmt.Sprint(refuses), func(t *testing.T) {
			t.Parallel()
			s := newRegistryFixture(t, "shop/a")
			s.server.SetECRLimits(sandbox.ECRLimits{TagsPerImage: 1000, ImagesPerRepository: 1000, RefuseNested: refuses})
			index, children := s.pushIndex(0)
			s.published(s.recorded("one", []string{index}))
			want := []string{index}
			if refuses {
				want = children
			}
			if got := s.server.Children("shop/a", "revision-one"); !slices.Equal(got, want) {
				t.Errorf("the record refers to %v, want %v", got, want)
			}
			s.published(s.recorded("two", s.push(s.images())))
			s.published(s.recorded("three", s.push(s.images())))
			if !refuses {
				return
			}
			ids := manifests.IDs([]string{index})
			if _, err := s.direct("").BatchDeleteImage(t.Context(), &ecr.BatchDeleteImageInput{RepositoryName: aws.String("shop/a"), ImageIds: ids}); err != nil {
				t.Fatal(err)
			}
			found, err := Find(t.Context(), s.clients, s.repos, "one", nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Promote(t.Context(), s.clients, Promotion{Snapshot: found.Snapshot, Name: "one", Images: found.Images}); err != nil {
				t.Fatal(err)
			}
			if got := s.server.Tags("shop/a"); got["one"] != index || got["latest"] != index {
				t.Errorf("the tags are %v, want one and latest on %s", got, index)
			}
		})
	}
}

// TestNestedRefusedIsReverted: the record in place of the refused one goes, too.
func TestNestedRefusedIsReverted(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a")
	s.server.SetECRLimits(sandbox.ECRLimits{TagsPerImage: 1000, ImagesPerRepository: 1000, RefuseNested: true})
	index, _ := s.pushIndex(0)
	s.transport.set(func(c ecrCall) failure {
		if c.action == "PutImage" && c.tag == registry.TagLatest {
			return refused
		}
		return fine
	})
	if _, err := Publish(t.Context(), s.clients, s.recorded("one", []string{index})); err == nil {
		t.Error("no error")
	}
	s.transport.set(nil)
	s.wantState(map[string]string{})
}

// TestDeadNames: names of expired revisions leave an image that stays, those that no
// record has listed do not, and a name that is alive again comes back.
func TestDeadNames(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a")
	s.retain()
	quiet := s.pushOne(0, image(t), "foreign")
	names := []string{"foreign"}
	build := func(name string) []DeadNames {
		t.Helper()
		p := s.recorded(name, []string{quiet})
		p.Images[0].Names = names
		out := s.published(p)
		names = append(names, name)
		return out.Dead
	}
	build("one")
	for _, name := range []string{"two", "three"} {
		s.server.Advance(5 * day)
		if name == "two" {
			if dead := build(name); len(dead) != 0 {
				t.Errorf("%v are dead with two", dead)
			}
			continue
		}
		dead := build(name)
		if len(dead) != 1 || !slices.Equal(dead[0].Names, []string{"one"}) {
			t.Fatalf("%v are dead with three, want one", dead)
		}
		if err := RemoveDead(t.Context(), s.clients, dead); err != nil {
			t.Fatal(err)
		}
		tags := s.server.Tags("shop/a")
		if tags["one"] != "" || tags["two"] != quiet || tags["three"] != quiet || tags["foreign"] != quiet {
			t.Errorf("the tags are %v, want one removed alone", tags)
		}
		s.move(0, "one", quiet)
		s.published(s.recorded("one", []string{quiet}))
		if err := RemoveDead(t.Context(), s.clients, dead); err != nil {
			t.Fatal(err)
		}
		if got := s.server.Tags("shop/a")["one"]; got != quiet {
			t.Errorf("one points to %q, want it back on %s, since its record is there again", got, quiet)
		}
	}
}

// TestFindDead finds the names that were not known yet when the revision was published
// with the tags that its build had read before.
func TestFindDead(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	s.retain()
	digests := s.push(s.images(), "foreign")
	s.published(s.recorded("one", digests))
	s.server.Advance(5 * day)
	s.published(s.recorded("two", digests))
	s.server.Advance(5 * day)
	p := s.recorded("three", digests)
	before, err := ReadTags(t.Context(), s.clients, s.repos, p.Variant, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.Snapshot = before
	out := s.published(p)
	if len(out.Dead) != 0 {
		t.Errorf("%v are dead before the names are known", out.Dead)
	}
	s.server.ResetCalls()
	dead, err := out.FindDead(t.Context(), s.clients, map[registry.Ref][]string{s.repos[0].Ref: {"foreign", "one", "two", "three"}})
	if err != nil || len(dead) != 1 || dead[0].Repository.Ref != s.repos[0].Ref || !slices.Equal(dead[0].Names, []string{"one"}) {
		t.Errorf("%v are dead, %v, want one in %s", dead, err, s.repos[0].Name)
	}
	testkit.WantECRCalls(t, s.server, "BatchGetImage", 1)
	s.server.ResetCalls()
	for _, names := range [][]string{nil, {"three"}} {
		if dead, err := out.FindDead(t.Context(), s.clients, map[registry.Ref][]string{s.repos[0].Ref: names}); err != nil || dead != nil {
			t.Errorf("of %q, %v are dead, %v", names, dead, err)
		}
	}
	testkit.WantECRCalls(t, s.server, "BatchGetImage", 0)
}

// TestYields: a job leaves latest to a revision that another job made meanwhile, if
// that goes before its own, and gives its images their hash alone.
func TestYields(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		project       string
		yields, stays bool
	}{
		{"shop", true, true},
		{"shop", false, false},
		{"other", true, false},
	} {
		s := newRegistryFixture(t, "shop/a", "shop/b")
		s.published(s.recorded("zero", s.push(s.images())))
		before, err := ReadTags(t.Context(), s.clients, s.repos, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		newer, older := s.push(s.images()), s.push(s.images())
		theirs := s.recorded("newer", newer)
		theirs.Record.Project = c.project
		s.published(theirs)
		p := s.recorded("older", older)
		s.extra(&p, "stage")
		p.Before, p.Yields = before, func(r record.Record) bool { return c.yields && r.Revision == "newer" }
		out := s.published(p)
		tags, want := s.server.Tags("shop/a"), older[0]
		if c.stays {
			want = newer[0]
		}
		if tags["latest"] != want || tags["older"] != older[0] || (tags["stage"] == "") != c.stays || (out.Newer.Revision == "newer") != c.stays {
			t.Errorf("%+v: the tags are %v and Newer is %q, want latest on %s", c, tags, out.Newer.Revision, want)
		}
		s.wantRecord(0, "older", older[0])
		before, err = ReadTags(t.Context(), s.clients, s.repos, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		p = s.recorded("again", older)
		p.Before, p.Yields = before, func(record.Record) bool { return true }
		if out := s.published(p); out.Newer.Revision != "" || s.server.Tags("shop/a")["latest"] != older[0] {
			t.Errorf("%+v: a job that began later yields to %q", c, out.Newer.Revision)
		}
	}
}

// TestUntrustedRecordNamesNoOthers: the record of an untrusted build lists names of
// others in vain, and its own name is dead when it has expired.
func TestUntrustedRecordNamesNoOthers(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a")
	s.retain()
	quiet := s.pushOne(0, image(t), "foreign")
	p := s.recorded("pr12-one", []string{quiet})
	p.KeepLatest, p.KeepNames = true, true
	forged := s.recorded("pr12-two", []string{quiet})
	forged.KeepLatest, forged.KeepNames = true, true
	forged.Images[0].Names = []string{"foreign"}
	snapshot, err := forged.readSnapshot(t.Context(), s.clients)
	if err != nil {
		t.Fatal(err)
	}
	r := *forged.Record
	r.Revision, r.Names = "pr12-two", []string{"foreign"}
	made, err := snapshot.makeRecord(s.repos[0].Ref, r, quiet)
	if err != nil {
		t.Fatal(err)
	}
	step := snapshot.step(snapshot.step(nil, s.repos[0], "pr12-two", quiet), s.repos[0], "revision-pr12-two", made)
	if err := apply(t.Context(), s.clients, snapshot, step); err != nil {
		t.Fatal(err)
	}
	s.published(p)
	names := []string{"foreign", "pr12-one", "pr12-two"}
	for _, c := range []struct {
		name string
		dead []string
	}{{"first", nil}, {"second", []string{"pr12-one", "pr12-two", "first"}}} {
		own := s.recorded(c.name, []string{quiet})
		own.Images[0].Names = names
		out := s.published(own)
		var dead []string
		for _, d := range out.Dead {
			dead = append(dead, d.Names...)
		}
		if !slices.Equal(dead, c.dead) {
			t.Errorf("%v are dead with %s, want %v", dead, c.name, c.dead)
		}
		s.server.Advance(4 * day)
		names = append(names, c.name)
		if c.name == "first" {
			s.server.Advance(2 * day)
			// The newest record is expired after seven days, so a job in between renews the list.
			between := s.recorded("between", []string{quiet})
			between.Images[0].Names = names
			s.published(between)
			names = append(names, "between")
			s.server.Advance(2 * day)
		}
	}
}

// TestTagsAreCounted: all tags of an image count, those that name no revision included.
func TestTagsAreCounted(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a")
	digest := s.pushOne(0, image(t), "one", "two", registry.TagLatest, "in-0123")
	n, err := CountTags(t.Context(), s.clients, s.repos[0], registry.TagLatest)
	if err != nil || n != 4 {
		t.Errorf("CountTags(latest) = %d, %v, want 4", n, err)
	}
	names, err := NamesOf(t.Context(), s.clients, s.repos[0], digest)
	if err != nil || names.Tags != 4 || !slices.Equal(names.Revisions, []string{"one", "two"}) {
		t.Errorf("NamesOf = %+v, %v, want 4 tags, one and two", names, err)
	}
	if n, err := CountTags(t.Context(), s.clients, s.repos[0], "none"); err != nil || n != 0 {
		t.Errorf("CountTags(none) = %d, %v, want 0", n, err)
	}
}
