package artifact

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParseS3URL(t *testing.T) {
	for url, want := range map[string]S3Location{
		"s3://bucket/key":                          {"bucket", "key"},
		"s3://bucket/a/b c+%2F?#é.zip":             {"bucket", "a/b c+%2F?#é.zip"},
		"s3://my.bucket-1/path/":                   {"my.bucket-1", "path/"},
		"s3://abc//k":                              {"abc", "/k"},
		"s3://point-abc123-s3alias/k":              {"point-abc123-s3alias", "k"},
		"s3://1.2.3.4.5/k":                         {"1.2.3.4.5", "k"},
		"s3://bucket/" + strings.Repeat("k", 1024): {"bucket", strings.Repeat("k", 1024)},
	} {
		got, err := ParseS3URL(url)
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", url, got, err, want)
		}
		if got.String() != url {
			t.Errorf("%q comes back as %q", url, got)
		}
	}
	for url, want := range map[string]string{
		"":                                       "start with s3://",
		"bucket/key":                             "start with s3://",
		"S3://bucket/key":                        "start with s3://",
		"https://bucket/key":                     "start with s3://",
		"s3://":                                  "bucket is missing",
		"s3:///key":                              "bucket is missing",
		"s3://bucket":                            "key is missing",
		"s3://bucket/":                           "key is missing",
		"s3://ab/key":                            `"ab" is not 3 to 63`,
		"s3://Bucket/key":                        "lower-case",
		"s3://buck_et/key":                       "lower-case",
		"s3://-bucket/key":                       "both ends",
		"s3://bucket./key":                       "both ends",
		"s3://bu..cket/key":                      "two dots",
		"s3://192.168.1.1/key":                   "IP address",
		"s3://bucket/a/../b":                     `part ".."`,
		"s3://bucket/.":                          `part "."`,
		"s3://bucket/a\nb":                       "control character",
		"s3://bucket/a\xff":                      "not UTF-8",
		"s3://" + strings.Repeat("b", 64) + "/k": "3 to 63",
		"s3://bucket/" + strings.Repeat("k", 1025): "1025 bytes",
	} {
		got, err := ParseS3URL(url)
		var bad *S3URLError
		if !errors.As(err, &bad) || bad.URL != url || got != (S3Location{}) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %+v, %v, want %q", url, got, err, want)
		}
	}
}

func FuzzParseS3URL(f *testing.F) {
	for _, s := range []string{"", "s3://", "s3://bucket/key", "s3://1.2.3.4/k", "s3://a..b/k", "s3://bucket/a/../b", "s3://bucket//"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, url string) {
		loc, err := ParseS3URL(url)
		var bad *S3URLError
		switch {
		case err != nil && !errors.As(err, &bad):
			t.Fatalf("%v is no *S3URLError", err)
		case err == nil && loc.String() != url:
			t.Fatalf("%q comes back as %q", url, loc)
		case err == nil && (loc.Key == "" || strings.Contains(loc.Bucket, "/")):
			t.Fatalf("%q: got %+v, want a key and a bucket without slashes", url, loc)
		}
	})
}

func ExampleParseS3URL() {
	loc, err := ParseS3URL("s3://shop-artifacts/build/imagedefinitions.zip")
	fmt.Println(loc.Bucket, loc.Key, err)
	_, err = ParseS3URL("s3://shop-artifacts")
	fmt.Println(err)
	// Output:
	// shop-artifacts build/imagedefinitions.zip <nil>
	// "s3://shop-artifacts" is not an S3 address: the key is missing (s3://BUCKET/KEY)
}
