package inputs

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	"google.golang.org/protobuf/proto"
)

// source is a source that a definition reads.
type source struct {
	// scheme and name are the two sides of :// in the identifier of the LLB
	// operation; the name of an image has no digest that was resolved for it.
	scheme, name string
	attrs        map[string]string
}

// definition is a definition without what is different in each request.
type definition struct {
	// digest is the checksum of the steps, in which a source counts by its name.
	digest string
	// sources are all that it reads, sorted.
	sources []source
}

// The attributes of sources that are different in each request or only shape the
// transfer (solver/pb, attr.go).
var volatile = []string{
	pb.AttrLocalSessionID, pb.AttrLocalUniqueID, pb.AttrSharedKeyHint, pb.AttrLocalDiffer, pb.AttrOCILayoutSessionID, pb.AttrImageResolveMode,
}

// The attributes that select files of a local source.
var selecting = []string{pb.AttrIncludePatterns, pb.AttrFollowPaths, pb.AttrExcludePatterns}

// parse reads a definition. The last of its operations is its result.
func parse(d *pb.Definition) (*definition, error) {
	out := &definition{}
	sums := map[string]string{} // of the operations as they are read, to those without what varies
	for _, bytes := range d.GetDef() {
		op := &pb.Op{}
		if err := proto.Unmarshal(bytes, op); err != nil {
			return nil, fmt.Errorf("reading the definition: %w", err)
		}
		for _, in := range op.Inputs {
			sum, ok := sums[in.Digest]
			if !ok {
				return nil, fmt.Errorf("reading the definition: an operation comes before its input %s", in.Digest)
			}
			in.Digest = sum
		}
		if s := op.GetSource(); s != nil {
			src, err := parseSource(s)
			if err != nil {
				return nil, err
			}
			out.sources = append(out.sources, src)
			s.Identifier, s.Attrs = src.scheme+"://"+src.name, without(src.attrs, selecting)
		}
		canonical, err := proto.MarshalOptions{Deterministic: true}.Marshal(op)
		if err != nil {
			return nil, fmt.Errorf("reading the definition: %w", err)
		}
		out.digest = digest.FromBytes(canonical).String()
		sums[digest.FromBytes(bytes).String()] = out.digest
	}
	slices.SortFunc(out.sources, func(a, b source) int { return strings.Compare(a.String(), b.String()) })
	return out, nil
}

// parseSource takes an LLB source apart.
func parseSource(op *pb.SourceOp) (source, error) {
	scheme, name, ok := strings.Cut(op.Identifier, "://")
	if !ok {
		return source{}, fmt.Errorf("reading the definition: the source %q has no scheme", op.Identifier)
	}
	if scheme == schemeImage {
		name = withoutResolved(name)
	}
	if strings.HasPrefix(name, linkHost) {
		name, _, _ = strings.Cut(name, "@") // the key of the component counts
	}
	return source{scheme: scheme, name: name, attrs: without(op.Attrs, volatile)}, nil
}

// The schemes of sources (client/llb, source.go).
const (
	schemeLocal  = "local"
	schemeImage  = "docker-image"
	schemeGit    = "git"
	schemeLayout = "oci-layout"
)

// withoutResolved takes the digest off a reference that has a tag as well: the tag
// was resolved to it.
func withoutResolved(ref string) string {
	name, _, digested := strings.Cut(ref, "@")
	if digested && strings.LastIndexByte(name, ':') > strings.LastIndexByte(name, '/') {
		return name
	}
	return ref
}

// without returns the attributes but for some.
func without(attrs map[string]string, names []string) map[string]string {
	out := maps.Clone(attrs)
	for _, name := range names {
		delete(out, name)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// String is the source with its attributes: equal sources have equal strings.
func (s source) String() string {
	text, err := json.Marshal(s.attrs)
	if err != nil {
		panic(err) // a map of strings: cannot happen
	}
	return s.scheme + "://" + s.name + " " + string(text)
}

// list reads an attribute that is a list of patterns or paths.
func (s source) list(name string) ([]string, error) {
	value, ok := s.attrs[name]
	if !ok {
		return nil, nil
	}
	var out []string
	if err := json.Unmarshal([]byte(value), &out); err != nil {
		return nil, fmt.Errorf("reading %s of the source %s: %w", name, s.name, err)
	}
	return out, nil
}

// localSource returns the name of the local source that is all of a definition.
func localSource(d *pb.Definition) (string, error) {
	parsed, err := parse(d)
	if err != nil {
		return "", err
	}
	if len(parsed.sources) != 1 || parsed.sources[0].scheme != schemeLocal {
		return "", errUnsupported
	}
	return parsed.sources[0].name, nil
}

// checksum is the sha256 in hex of parts, each framed by its length.
func checksum(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s,", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}
