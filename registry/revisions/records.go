package revisions

import (
	"errors"
	"slices"

	"github.com/aws/smithy-go"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"slipway/registry"
	"slipway/registry/record"
)

// recordVariants is how many variants of a hash have their record read with the
// tags.
const recordVariants = 20

// recordTags are the tags of the records that a snapshot reads.
func recordTags(names []string) []string {
	out := []string{registry.TagNewest}
	for _, name := range names[:min(len(names), recordVariants)] {
		out = append(out, registry.RecordTag(name))
	}
	return out
}

// Record returns the record of a revision in a repository, and the digest of the
// image that it refers to; false where there is none that can be read.
func (s *Snapshot) Record(ref registry.Ref, name string) (record.Record, string, bool) {
	r, of, ok := s.recordAt(ref, registry.RecordTag(name))
	return r, of.Digest, ok && r.Revision == name
}

func (s *Snapshot) recordAt(ref registry.Ref, tag string) (record.Record, record.Image, bool) {
	at, ok := s.ByTag(ref, tag)
	if !ok {
		return record.Record{}, record.Image{}, false
	}
	r, of, err := record.Decode([]byte(at.Manifest))
	return r, of, err == nil
}

// restore makes the snapshot know the indexes of revisions that only their
// records have: the index has expired, and its manifests have not.
func (s *Snapshot) restore(ref registry.Ref, names []string) {
	for _, name := range names {
		r, of, ok := s.recordAt(ref, registry.RecordTag(name))
		if !ok || r.Revision != name || of.Index == nil || s.digestOf(ref, name) != "" {
			continue
		}
		index := Image{Digest: of.Digest, MediaType: ocispecs.MediaTypeImageIndex, Manifest: string(of.Index)}
		if at := index.Content().MediaType; at != "" {
			index.MediaType = at
		}
		s.known[ref][index.Digest], s.tags[ref][name] = index, index
		s.restored[ref] = append(s.restored[ref], name)
	}
}

// restoreStep lists the indexes that a promotion puts again.
func (p Promotion) restoreStep() []Change {
	var step []Change
	for _, i := range p.Images {
		if slices.Contains(p.Snapshot.restored[i.Repository.Ref], p.Name) {
			step = append(step, Change{Repository: i.Repository, Tag: p.Name, To: i.Digest})
		}
	}
	return step
}

// records lists the records to make for a revision: one in each repository that
// has none yet. A record that another job makes meanwhile is as good.
func (p Publication) records(s *Snapshot, name string) ([]Change, error) {
	if p.Record == nil {
		return nil, nil
	}
	r := *p.Record
	r.Revision, r.Names = name, p.earlier(s, name)
	var out []Change
	for _, i := range p.Images {
		ref, tag := i.Repository.Ref, registry.RecordTag(name)
		if s.digestOf(ref, tag) != "" {
			continue
		}
		made, err := s.makeRecord(ref, r, i.Digest)
		if err != nil {
			return nil, err
		}
		out = s.step(out, i.Repository, tag, made)
	}
	return out, nil
}

// makeRecord makes the snapshot know a record, and returns its digest.
func (s *Snapshot) makeRecord(ref registry.Ref, r record.Record, of string) (string, error) {
	image, _ := s.ByDigest(ref, of)
	manifest, err := r.Encode(ocispecs.Descriptor{MediaType: image.MediaType, Digest: digest.Digest(image.Digest), Size: int64(len(image.Manifest))})
	if err != nil {
		return "", err
	}
	made := recordImage(manifest)
	s.records[ref][made.Digest] = made
	if len(image.Children()) == 0 {
		return made.Digest, nil
	}
	if manifest, err = r.EncodeFlat([]byte(image.Manifest)); err != nil {
		return "", err
	}
	flat := recordImage(manifest)
	s.records[ref][flat.Digest] = flat
	s.flat[made.Digest] = flat
	return made.Digest, nil
}

func recordImage(manifest []byte) Image {
	return Image{Digest: digest.FromBytes(manifest).String(), MediaType: record.MediaType, Manifest: string(manifest)}
}

// flatFor returns the record to put in place of one that a registry refused
// because its child is an index; false where that is not the reason.
func (s *Snapshot) flatFor(refused string, err error) (Image, bool) {
	var api smithy.APIError
	flat, ok := s.flat[refused]
	return flat, ok && errors.As(err, &api) && (api.ErrorCode() == "InvalidParameterException" || api.ErrorCode() == "UnsupportedImageTypeException")
}

// newest is the step of TagNewest, in the first repository that lets it move: to
// the record that is about to be made, or to the one of an earlier run.
func (p Publication) newest(s *Snapshot, name string, made []Change) []Change {
	if p.Record == nil || p.KeepLatest {
		return nil
	}
	for _, i := range p.Images {
		if i.Repository.CheckMovable([]string{registry.TagNewest}) != nil {
			continue
		}
		ref, tag := i.Repository.Ref, registry.RecordTag(name)
		to := s.digestOf(ref, tag)
		for _, c := range made {
			if c.Repository.Ref == ref && c.Tag == tag {
				to = c.To
			}
		}
		if s.isArchived(ref, to) {
			return nil
		}
		return s.step(nil, i.Repository, registry.TagNewest, to)
	}
	return nil
}

// maxNames is how many names of earlier revisions a record has.
const maxNames = 1000

// earlier lists the names of earlier revisions that had a record, by the records
// that are there. What the record of an untrusted build says of others does not
// count. The records of a revision say the same in each repository: one is read.
func (p Publication) earlier(s *Snapshot, name string) []string {
	seen, read := map[string]bool{name: true}, map[string]bool{}
	var out []string
	add := func(names ...string) {
		for _, n := range names {
			if !seen[n] {
				seen[n] = true
				out = append(out, n)
			}
		}
	}
	for _, i := range p.Images {
		ref := i.Repository.Ref
		if r, ok := s.newestRecord(ref); ok {
			add(r.Names...)
			add(r.Revision)
		}
		for _, n := range i.Names {
			if read[n] {
				continue
			}
			r, _, ok := s.Record(ref, n)
			if ok && !IsUntrusted(n) {
				add(r.Names...)
			}
			if read[n] = ok; ok {
				add(n)
			}
		}
	}
	return out[max(0, len(out)-maxNames):]
}

// newestRecord returns the record that TagNewest points to.
func (s *Snapshot) newestRecord(ref registry.Ref) (record.Record, bool) {
	r, _, ok := s.recordAt(ref, registry.TagNewest)
	named := registry.ValidateTag(r.Revision) == nil && registry.IsRevisionName(r.Revision) && !IsUntrusted(r.Revision)
	return r, ok && named
}

// recordsOf are the tags of the records of revisions.
func recordsOf(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = registry.RecordTag(name)
	}
	return out
}

// newer returns the record of a revision that another job has made latest since
// Before was read, and that goes before this one.
func (p Publication) newer(s *Snapshot) (record.Record, bool) {
	if p.Record == nil || p.Before == nil || p.Yields == nil || p.KeepLatest {
		return record.Record{}, false
	}
	for _, i := range p.Images {
		ref := i.Repository.Ref
		if s.digestOf(ref, registry.TagNewest) == p.Before.digestOf(ref, registry.TagNewest) {
			continue
		}
		r, ok := s.newestRecord(ref)
		if ok && r.Project == p.Record.Project && p.Yields(r) {
			return r, true
		}
	}
	return record.Record{}, false
}

// yielding is the publication without latest and the tags that move with it.
func (p Publication) yielding() Publication {
	p.KeepLatest = true
	p.Images = slices.Clone(p.Images)
	for i := range p.Images {
		p.Images[i].Extra = nil
	}
	return p
}

// recordsLast splits each step so that, backwards, the records of a step are
// reverted before its other tags: ECR deletes no image that an index refers to
// (ImageReferencedByManifestList in the BatchDeleteImage API reference).
func recordsLast(steps [][]Change) [][]Change {
	var out [][]Change
	for _, step := range steps {
		var records, others []Change
		for _, c := range step {
			if registry.IsRecordTag(c.Tag) {
				records = append(records, c)
			} else {
				others = append(others, c)
			}
		}
		out = append(out, others, records)
	}
	return out
}

// taken reports whether a name stands for another image in a repository, by its
// tag or its record.
func (s *Snapshot) taken(i RevisionImage, name string) bool {
	ref := i.Repository.Ref
	at, ok := s.ByTag(ref, name)
	_, recorded, isRecorded := s.Record(ref, name)
	return ok && at.Digest != i.Digest || isRecorded && recorded != i.Digest
}
