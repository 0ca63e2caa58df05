package cmd

import (
	"context"
	"slices"

	"github.com/rogpeppe/go-internal/testscript"

	"slipway/registry"
	"slipway/registry/manifests"
)

// imagesOf reads images of a script's sandbox by tag or digest.
func imagesOf(ts *testscript.TestScript, repository string, names ...string) []manifests.Image {
	found, err := manifests.Read(context.Background(), scriptECR(ts), registry.Repository{Ref: registry.Ref{Name: repository}}, manifests.IDs(names))
	ts.Check(err)
	var out []manifests.Image
	for _, image := range found {
		out = append(out, manifests.New(image))
	}
	if len(out) != len(names) {
		ts.Fatalf("%s has %d of %q", repository, len(out), names)
	}
	return out
}

// platformDigests are those that ECR scans of an image: it scans no index and no
// attestation.
func platformDigests(ts *testscript.TestScript, repository, tag string) []string {
	digests := imagesOf(ts, repository, tag)[0].Digests()
	return digests[min(1, len(digests)-1):]
}

// attested REPOSITORY TAG [PREDICATE...] checks that an image has these attestations, in
// order, and that the registry has all that its index lists.
func attested(ts *testscript.TestScript, _ bool, args []string) {
	image := imagesOf(ts, args[0], args[1])[0]
	var predicates []string
	for _, d := range image.Content().Manifests {
		child := imagesOf(ts, args[0], d.Digest)[0]
		if !d.IsAttestation() {
			continue
		}
		for _, layer := range child.Content().Layers {
			predicates = append(predicates, layer.Annotations["in-toto.io/predicate-type"])
		}
	}
	if slices.Sort(predicates); !slices.Equal(predicates, args[2:]) {
		ts.Fatalf("%s:%s has the attestations %q, want %q", args[0], args[1], predicates, args[2:])
	}
}
