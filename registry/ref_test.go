package registry

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"slipway/internal/awsname"
	"slipway/registry/lifecycle"
)

func TestParseRef(t *testing.T) {
	t.Parallel()
	const acct = "123456789012"
	abroad := func(region string) Ref { return Ref{Account: acct, Region: region, Name: "shop/express"} }
	for in, want := range map[string]Ref{
		"shop/express": {Name: "shop/express"},
		"express":      {Name: "express"},
		"a.b":          {Name: "a.b"},
		acct + ".dkr.ecr.eu-west-1.amazonaws.com/shop/express":                  abroad("eu-west-1"),
		acct + ".DKR.ECR.eu-west-1.amazonaws.com/shop/express":                  abroad("eu-west-1"),
		acct + ".dkr.ecr.cn-north-1.amazonaws.com.cn/shop/express":              abroad("cn-north-1"),
		acct + ".dkr.ecr-fips.us-gov-west-1.amazonaws.com/shop/express":         abroad("us-gov-west-1"),
		acct + ".dkr-ecr.eu-west-1.on.aws/shop/express":                         abroad("eu-west-1"),
		acct + ".dkr-ecr-fips.us-east-1.on.aws/shop/express":                    abroad("us-east-1"),
		acct + ".dkr.ecr.us-isob-east-1.sc2s.sgov.gov/shop/express":             abroad("us-isob-east-1"),
		acct + ".dkr.ecr.eusc-de-east-1.amazonaws.eu/shop/express":              abroad("eusc-de-east-1"),
		acct + ".dkr.ecr.eu-west-1.localhost:4566/shop/express":                 abroad("eu-west-1"),
		"arn:aws:ecr:eu-west-1:" + acct + ":repository/shop/express":            abroad("eu-west-1"),
		"arn:aws-us-gov:ecr:us-gov-east-1:" + acct + ":repository/shop/express": abroad("us-gov-east-1"),
		"127.0.0.1:4566/shop/express":                                           {Name: "shop/express"},
		"localhost/shop/express":                                                {Name: "shop/express"},
		"[::1]:4566/shop/express":                                               {Name: "shop/express"},
	} {
		got, err := ParseRef(in)
		if err != nil || got != want {
			t.Errorf("ParseRef(%q) = %+v, %v, want %+v", in, got, err, want)
		}
	}
}

func TestParseRefRefuses(t *testing.T) {
	t.Parallel()
	const host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/"
	for in, want := range map[string]string{
		"":                          "0 characters",
		"shop/express:v1":           `leave out ":v1"`,
		"shop/express@sha256:abc":   `leave out "@sha256:abc"`,
		host + "shop/express:v1":    `leave out ":v1"`,
		host + "shop@sha256:abc":    "leave out",
		host:                        "0 characters",
		host + "Shop/express":       "upper-case",
		"https://" + host + "shop":  "scheme",
		"ghcr.io/shop/express":      "not an ECR registry",
		"docker.io/library/nginx":   "not an ECR registry",
		"public.ecr.aws/nginx/web":  "not an ECR registry",
		"x.dkr.ecr.eu.example/shop": "not an ECR registry",
		"123456789012.dkr.ecr.eu-west-1.evil.example/shop":               "not an ECR registry",
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example/shop": "not an ECR registry",
		"123456789012.dkr.ecr.eu-west-1.localhost.evil.example/shop":     "not an ECR registry",
		"123456789012.dkr.ecr.cn-north-1.amazonaws.com/shop":             "not an ECR registry",
		"arn:aws:ecr:cn-north-1:123456789012:repository/shop":            "region of its partition",
		"arn:aws:ecr:*:123456789012:repository/shop":                     "region of its partition",
		"arn:aws:ecr:eu-west-1:123456789012:repository/":                 "0 characters",
		"arn:aws:ecr:eu-west-1:123:repository/shop":                      "account",
		"arn:aws:ecr::123456789012:repository/shop":                      "region",
		"arn:aws:ecs:eu-west-1:123456789012:cluster/shop":                "not an ECR registry",
		"arn:aws:ecr:eu-west-1:123456789012:repository/a:1":              "character other than",
		"arn:aws": "arn",
	} {
		got, err := ParseRef(in)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseRef(%q) = %+v, %v, want an error with %q", in, got, err, want)
			continue
		}
		if is := errors.Is(err, ErrNotECR); is != (want == "not an ECR registry") {
			t.Errorf("ParseRef(%q): errors.Is ErrNotECR = %v: %v", in, is, err)
		}
	}
}

func TestRefString(t *testing.T) {
	t.Parallel()
	for want, ref := range map[string]Ref{
		"shop":                    {Name: "shop"},
		"shop (region eu-west-1)": {Name: "shop", Region: "eu-west-1"},
		"shop (account 123456789012, region eu-west-1)": {Name: "shop", Region: "eu-west-1", Account: "123456789012"},
	} {
		if got := ref.String(); got != want {
			t.Errorf("String() = %q, want %q", got, want)
		}
	}
}

func FuzzParseRef(f *testing.F) {
	for _, s := range []string{
		"shop/express", "shop:1", "127.0.0.1:5000/a1", "ghcr.io/a/b",
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/express",
		"arn:aws:ecr:eu-west-1:123456789012:repository/shop/express",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := ParseRef(s)
		if err != nil {
			if ref != (Ref{}) {
				t.Fatalf("%q: a ref %+v beside the error %v", s, ref, err)
			}
			return
		}
		if err := ValidateName(ref.Name); err != nil {
			t.Fatalf("%q: accepted a name ECR refuses: %v", s, err)
		}
		if !strings.HasSuffix(s, ref.Name) {
			t.Fatalf("%q: the name became %q", s, ref.Name)
		}
		if ref.Account == "" {
			return
		}
		p, _ := awsname.PartitionOf(ref.Region)
		again, err := ParseRef("arn:" + p.ID + ":ecr:" + ref.Region + ":" + ref.Account + ":repository/" + ref.Name)
		if err != nil || again != ref {
			t.Fatalf("%q: as an ARN it is %+v, %v, not %+v", s, again, err, ref)
		}
	})
}

func TestValidateName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"shop/express":           "",
		"a1":                     "",
		"0.a_b-c/d":              "",
		strings.Repeat("a", 256): "",
		"a":                      "1 characters",
		strings.Repeat("a", 257): "257 characters",
		"Shop":                   `upper-case letter in "Shop"`,
		"shop//a":                "empty part",
		"/shop":                  "empty part",
		"shop/":                  "empty part",
		"shop name":              "character other than",
		"shöp":                   "character other than",
		"-shop":                  "at an end",
		"shop.":                  "at an end",
		"sh--op/a---b/c__d":      "",
		"sh..op":                 `next to each other, not as in "sh..op"`,
		"a___b":                  "next to each other",
		"shop/a._b":              `"a._b"`,
		"shop\n":                 "character other than",
	} {
		err := ValidateName(in)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("ValidateName(%q) = %v, want %q", in, err, want)
		}
	}
}

// FuzzValidateName compares with the one pattern that the service model of
// ECR's API gives for RepositoryName.
func FuzzValidateName(f *testing.F) {
	pattern := regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	for _, s := range []string{"shop/express", "A", "a//b", "a\n", "a_-b", "a__b", "a---b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := pattern.MatchString(s) && len(s) >= 2 && len(s) <= 256
		if err := ValidateName(s); (err == nil) != want {
			t.Fatalf("ValidateName(%q) = %v, the pattern says %v", s, err, want)
		}
		if lower := NormalizeName(s); NormalizeName(lower) != lower {
			t.Fatalf("NormalizeName(%q) = %q does not rest", s, lower)
		}
	})
}

func TestNormalizeName(t *testing.T) {
	t.Parallel()
	if got := NormalizeName("Shop/My_API"); got != "shop/my_api" {
		t.Errorf("got %q, want shop/my_api", got)
	}
}

func TestValidateTag(t *testing.T) {
	t.Parallel()
	for tag, ok := range map[string]bool{
		"latest": true, "1a2b3c4d5e6f.2": true, "_x": true, strings.Repeat("a", 128): true,
		"": false, ".x": false, "-x": false, "a b": false, "a/b": false, "a:b": false, "ä": false, "a\n": false,
		strings.Repeat("a", 129): false,
	} {
		if err := ValidateTag(tag); (err == nil) != ok {
			t.Errorf("ValidateTag(%q) = %v, want ok %v", tag, err, ok)
		}
	}
}

// TestRecordTags: no record names a revision, and none is protected, so that the
// lifecycle policy has no rule about it.
func TestRecordTags(t *testing.T) {
	t.Parallel()
	for _, tag := range []string{TagNewest, RecordTag("1a2b3c4d5e6f")} {
		if !IsRecordTag(tag) || IsRevisionName(tag) || IsProtected(tag) || ValidateTag(tag) != nil {
			t.Errorf("%s is not a legal tag of a record alone", tag)
		}
		for _, pattern := range protectedPatterns() {
			if lifecycle.MatchTag(pattern, tag) {
				t.Errorf("the rule for %s keeps %s", pattern, tag)
			}
		}
	}
	for _, tag := range []string{TagLatest, "1a2b3c4d5e6f", "latest-2"} {
		if IsRecordTag(tag) {
			t.Errorf("%s is taken for the tag of a record", tag)
		}
	}
}

func TestProtectedIsACopy(t *testing.T) {
	t.Parallel()
	Protected()[0] = "x"
	if got := Protected(); !slices.Equal(got, []string{"latest", "previous-latest", "buildcache"}) {
		t.Errorf("Protected() = %q", got)
	}
}
