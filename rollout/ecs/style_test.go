package ecs

import (
	"strings"
	"testing"
)

func TestStyleOf(t *testing.T) {
	t.Parallel()
	digest := "@sha256:" + strings.Repeat("a", 64)
	for image, want := range map[string]Style{
		"1.dkr.ecr.eu-west-1.amazonaws.com/shop/web":              StyleLatest,
		"1.dkr.ecr.eu-west-1.amazonaws.com/shop/web:latest":       StyleLatest,
		"localhost:5000/shop/web":                                 StyleLatest,
		"localhost:5000/shop/web:1a2b3c":                          StyleHash,
		"localhost:5000/shop/web" + digest:                        StyleDigest,
		"1.dkr.ecr.eu-west-1.amazonaws.com/shop/web:1a2" + digest: StyleDigest,
		"Shop Web": "",
	} {
		if got := StyleOf(image); got != want {
			t.Errorf("%s: %q, want %q", image, got, want)
		}
	}
}
