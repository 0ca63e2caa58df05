package target_test

import (
	"testing"

	"github.com/moby/buildkit/client"

	"slipway/build/target"
)

func TestSplitCache(t *testing.T) {
	opt := client.SolveOpt{
		FrontendAttrs: map[string]string{"target": "x", "no-cache": "", "image-resolve-mode": "pull"},
		Exports:       []client.ExportEntry{{Type: "image"}},
		CacheImports:  []client.CacheOptionsEntry{{Type: "registry"}},
		CacheExports:  []client.CacheOptionsEntry{{Type: "registry"}, {Type: "inline"}, {Type: "s3"}},
	}
	push, cache := target.SplitCache(opt)
	if len(push.Exports) != 1 || len(push.CacheExports) != 1 || push.CacheExports[0].Type != "inline" || len(push.CacheImports) != 1 || len(push.FrontendAttrs) != 3 {
		t.Errorf("the push is %+v", push)
	}
	if cache == nil || len(cache.Exports) != 1 || cache.Exports[0].Attrs["push"] != "" || len(cache.CacheExports) != 2 || cache.CacheExports[0].Type != "registry" || cache.CacheExports[1].Type != "s3" || len(cache.CacheImports) != 1 {
		t.Fatalf("the cache's request is %+v", cache)
	}
	if len(cache.FrontendAttrs) != 1 || cache.FrontendAttrs["target"] != "x" {
		t.Errorf("its attributes are %v: it must find every step in the engine's cache", cache.FrontendAttrs)
	}
	opt.CacheExports = opt.CacheExports[1:2]
	if _, cache := target.SplitCache(opt); cache != nil {
		t.Errorf("an inline cache alone needs no second request: %+v", cache)
	}
}
