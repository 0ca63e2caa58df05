// Package mirror maps the names of images to the names of their copies in other
// registries.
package mirror

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/distribution/reference"
)

// Mirror is a place that has copies of images. Both fields are a registry's host,
// or a host and the first parts of a repository's name: docker.io/library.
type Mirror struct{ From, To string }

// String returns the mirror as Parse reads it.
func (m Mirror) String() string { return m.From + "=" + m.To }

// List are the mirrors of a build, the longest From first.
type List []Mirror

// Parse reads values such as docker.io=HOST/PREFIX. No two may have the same From,
// and no To may lie in a From: the copy would have a copy.
func Parse(values []string) (List, error) {
	var out List
	for _, v := range values {
		m, err := parse(v)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", v, err)
		}
		if slices.ContainsFunc(out, func(o Mirror) bool { return o.From == m.From }) {
			return nil, fmt.Errorf("%q: %s has two mirrors", v, m.From)
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b Mirror) int {
		return cmp.Or(cmp.Compare(len(b.From), len(a.From)), strings.Compare(a.From, b.From))
	})
	for _, m := range out {
		for _, other := range out {
			if _, ok := below(m.To, other.From); ok {
				return nil, fmt.Errorf("%q: %s itself has the mirror %s", m, m.To, other.To)
			}
		}
	}
	return out, nil
}

func parse(value string) (Mirror, error) {
	from, to, ok := strings.Cut(value, "=")
	if !ok {
		return Mirror{}, errors.New("want REGISTRY=HOST or REGISTRY=HOST/PREFIX")
	}
	var m Mirror
	var err error
	if m.From, err = place(from); err != nil {
		return m, err
	}
	m.To, err = place(to)
	return m, err
}

// image is a name that is put behind a place, to see whether it can be one.
const image = "/image"

// place returns a host, with the first parts of a name or without, in the one form
// that image references have: Docker Hub has several names.
func place(text string) (string, error) {
	if host, _, _ := strings.Cut(text, "/"); !strings.ContainsAny(host, ".:") && host != "localhost" {
		return "", fmt.Errorf("%q does not begin with the host of a registry", text)
	}
	named, err := reference.ParseNormalizedNamed(text + image)
	if err != nil {
		return "", fmt.Errorf("%q is not a registry with a prefix", text)
	}
	// A single name on Docker Hub is one of its library.
	if reference.Path(named) == "library"+image && !strings.HasSuffix(text, "/library") {
		return reference.Domain(named), nil
	}
	return strings.TrimSuffix(named.Name(), image), nil
}

// Mirror returns the name of an image's copy, with the image's tag and digest, or
// the name of the image itself if there is no mirror for it.
func (l List) Mirror(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ref
	}
	for _, m := range l {
		if rest, ok := below(named.Name(), m.From); ok {
			return m.To + rest + strings.TrimPrefix(named.String(), named.Name())
		}
	}
	return ref
}

// below returns what follows a prefix that ends with a whole part of a name.
func below(name, prefix string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(name, prefix)
	return rest, ok && (rest == "" || rest[0] == '/')
}

// Hosts returns the hosts of the registries that have copies.
func (l List) Hosts() []string {
	var out []string
	for _, m := range l {
		host, _, _ := strings.Cut(m.To, "/")
		out = append(out, host)
	}
	return out
}
