package target_test

import (
	"reflect"
	"testing"

	"slipway/build/target"
)

func TestParseCache(t *testing.T) {
	for text, want := range map[string]target.Cache{
		"example.org/a:cache":                 {Type: "registry", Attrs: map[string]string{"ref": "example.org/a:cache"}},
		" example.org/a ":                     {Type: "registry", Attrs: map[string]string{"ref": "example.org/a"}},
		"type=inline":                         {Type: "inline", Attrs: map[string]string{}},
		"type=registry,ref=a:b,mode=max":      {Type: "registry", Attrs: map[string]string{"ref": "a:b", "mode": "max"}},
		" type=s3 , bucket=b, region=r ":      {Type: "s3", Attrs: map[string]string{"bucket": "b", "region": "r"}},
		"type=s3,bucket=b,endpoint_url=h?a=b": {Type: "s3", Attrs: map[string]string{"bucket": "b", "endpoint_url": "h?a=b"}},
	} {
		got, err := target.ParseCache(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("ParseCache(%q) = %+v, %v, want %+v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                  "is empty",
		"  ":                "is empty",
		"ref=x":             "has no type",
		"type=registry":     "type=registry needs a ref",
		"type=":             "has no type",
		"a:b,c:d":           `"a:b" is not key=value`,
		"type=inline,=x":    `"=x" is not key=value`,
		"type=inline,mode":  `"mode" is not key=value`,
		"type=inline,,a=b":  `"" is not key=value`,
		"type=inline, ,a=b": `" " is not key=value`,
	} {
		if _, err := target.ParseCache(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// What ParseCache takes, String writes back so that it parses to the same.
func FuzzParseCache(f *testing.F) {
	for _, s := range []string{"a:b", "type=inline", "type=registry,ref=x", "type=s3,a=b=c", "=", ",", "type=registry", " a = b "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := target.ParseCache(text)
		if err != nil {
			return
		}
		if c.Type == "" || (c.Type == "registry" && c.Attrs["ref"] == "") {
			t.Fatalf("ParseCache(%q) = %+v, want a type, and a ref of a registry", text, c)
		}
		again, err := target.ParseCache(c.String())
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Errorf("%q: %+v, written as %q, read as %+v, %v", text, c, c.String(), again, err)
		}
	})
}

func TestRegistryCacheSuitsECR(t *testing.T) {
	from, to := target.RegistryCache("r/x:buildcache")
	if from.String() != "type=registry,ref=r/x:buildcache" {
		t.Errorf("from %s, want type=registry,ref=r/x:buildcache", from)
	}
	if want := "type=registry,ignore-error=true,image-manifest=true,mode=max,oci-mediatypes=true,ref=r/x:buildcache"; to.String() != want {
		t.Errorf("to %s, want %v", to, want)
	}
}
