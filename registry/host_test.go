package registry

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

const hostAccount = "123456789012"

// hosts is what ParseHost makes of host names; an empty region is a refusal.
var hosts = map[string]string{
	// The forms that AWS documents.
	hostAccount + ".dkr.ecr.us-east-1.amazonaws.com":                    "us-east-1",
	hostAccount + ".dkr.ecr.us-east-1.amazonaws.com:443":                "us-east-1",
	hostAccount + ".dkr.ecr.ap-southeast-7.amazonaws.com":               "ap-southeast-7",
	hostAccount + ".dkr.ecr-fips.us-east-1.amazonaws.com":               "us-east-1",
	hostAccount + ".dkr-ecr.eu-west-1.on.aws":                           "eu-west-1",
	hostAccount + ".dkr-ecr-fips.us-east-2.on.aws":                      "us-east-2",
	hostAccount + ".dkr.ecr.us-gov-west-1.amazonaws.com":                "us-gov-west-1",
	hostAccount + ".dkr.ecr-fips.us-gov-east-1.amazonaws.com":           "us-gov-east-1",
	hostAccount + ".dkr.ecr.cn-north-1.amazonaws.com.cn":                "cn-north-1",
	hostAccount + ".dkr-ecr.cn-northwest-1.on.amazonwebservices.com.cn": "cn-northwest-1",
	hostAccount + ".dkr.ecr.us-iso-east-1.c2s.ic.gov":                   "us-iso-east-1",
	hostAccount + ".dkr.ecr.us-isob-east-1.sc2s.sgov.gov":               "us-isob-east-1",
	hostAccount + ".dkr.ecr.us-isof-south-1.csp.hci.ic.gov":             "us-isof-south-1",
	hostAccount + ".dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk":              "eu-isoe-west-1",
	hostAccount + ".dkr.ecr.eusc-de-east-1.amazonaws.eu":                "eusc-de-east-1",
	// Other domains.
	hostAccount + ".dkr.ecr.us-east-1.evil.example":                    "",
	hostAccount + ".dkr.ecr.us-east-1.amazonaws.com.evil.example":      "",
	hostAccount + ".dkr.ecr.us-east-1.evil.amazonaws.com":              "",
	hostAccount + ".dkr.ecr.us-east-1.amazonaws.com-evil.example":      "",
	hostAccount + ".dkr.ecr.us-east-1.evilamazonaws.com":               "",
	hostAccount + ".dkr.ecr.us-east-1.amazonaws.com.evil":              "",
	hostAccount + ".dkr.ecr.us-east-1.amazonaws.co":                    "",
	hostAccount + ".dkr.ecr.us-east-1.aws":                             "",
	hostAccount + ".dkr-ecr.us-east-1.on.aws.evil.example":             "",
	hostAccount + ".dkr.ecr.us-east-1.localhost":                       "",
	hostAccount + ".dkr.ecr.us-east-1.localhost.localstack.cloud:4566": "",
	"evil.example/" + hostAccount + ".dkr.ecr.us-east-1.amazonaws.com": "",
	"x." + hostAccount + ".dkr.ecr.us-east-1.amazonaws.com":            "",
	// Other ports, user info, dots, case, other letters, other characters.
	hostAccount + ".dkr.ecr.us-east-1.amazonaws.com:80":               "",
	hostAccount + ".dkr.ecr.us-east-1.amazonaws.com:8443":             "",
	hostAccount + ".dkr.ecr.us-east-1.amazonaws.com:443:443":          "",
	hostAccount + ".dkr.ecr.us-east-1.amazonaws.com:":                 "",
	"user@" + hostAccount + ".dkr.ecr.us-east-1.amazonaws.com":        "",
	hostAccount + ".dkr.ecr.us-east-1.amazonaws.com@evil.example":     "",
	hostAccount + ".dkr.ecr.us-east-1.amazonaws.com.":                 "",
	hostAccount + ".dkr.ecr.us-east-1.amazonaws.com.:443":             "",
	hostAccount + ".DKR.ecr.us-east-1.amazonaws.com":                  "",
	hostAccount + ".dkr.ecr.us-east-1.AMAZONAWS.COM":                  "",
	hostAccount + ".d\u212ar.ecr.us-east-1.amazonaws.com":             "",
	hostAccount + ".dkr.ecr.us-east-1.amaz\u043enaws.com":             "",
	hostAccount + ".dkr.ecr.us-east-1\u3002amazonaws.com":             "",
	"\uff11" + hostAccount[1:] + ".dkr.ecr.us-east-1.amazonaws.com":   "",
	hostAccount + ".dkr.ecr.us-east-1.amazonaws.com\n":                "",
	hostAccount + ".dkr.ecr.us-east-1.amazonaws.com\x00.evil.example": "",
	hostAccount + ".dkr.ecr.us-east-1.amazonaws.com#.evil.example":    "",
	"https://" + hostAccount + ".dkr.ecr.us-east-1.amazonaws.com":     "",
	// Accounts and regions that do not fit.
	"12345678901.dkr.ecr.us-east-1.amazonaws.com":         "",
	"1234567890123.dkr.ecr.us-east-1.amazonaws.com":       "",
	"12345678901x.dkr.ecr.us-east-1.amazonaws.com":        "",
	hostAccount + ".dkr.ecr.cn-north-1.amazonaws.com":     "",
	hostAccount + ".dkr.ecr.us-east-1.amazonaws.com.cn":   "",
	hostAccount + ".dkr.ecr.us-iso-east-1.amazonaws.com":  "",
	hostAccount + ".dkr.ecr.xx-east-1.amazonaws.com":      "",
	hostAccount + ".dkr.ecr.us-east-1.x.amazonaws.com":    "",
	hostAccount + ".dkr.ecr.evil.us-east-1.amazonaws.com": "",
	hostAccount + ".dkr.ecr.us-east-.amazonaws.com":       "",
	hostAccount + ".dkr.ecr..amazonaws.com":               "",
	// Other forms: those of another kind, VPC endpoints, the API, ECR Public.
	hostAccount + ".dkr-ecr.us-east-1.amazonaws.com":          "",
	hostAccount + ".dkr.ecr.us-east-1.on.aws":                 "",
	hostAccount + ".dkr.ecr-fips.cn-north-1.amazonaws.com.cn": "",
	hostAccount + ".dkr-ecr.eusc-de-east-1.":                  "",
	hostAccount + ".dkrxecr.us-east-1.amazonaws.com":          "",
	"vpce-0123.dkr.ecr.us-east-1.vpce.amazonaws.com":          "",
	hostAccount + ".dkr.ecr.us-east-1.vpce.amazonaws.com":     "",
	"api.ecr.us-east-1.amazonaws.com":                         "",
	"public.ecr.aws":                                          "",
	"":                                                        "",
}

func TestParseHost(t *testing.T) {
	t.Parallel()
	for host, region := range hosts {
		want := Host{}
		if region != "" {
			want = Host{Account: hostAccount, Region: region}
		}
		if got, ok := ParseHost(host); got != want || ok != (region != "") {
			t.Errorf("ParseHost(%q) = %+v, %v, want %+v", host, got, ok, want)
		}
	}
}

// TestLoginsTrustParseHost: a host that was not registered gets a token if
// ParseHost takes it, and no other one makes a request to AWS.
func TestLoginsTrustParseHost(t *testing.T) {
	t.Parallel()
	for host, region := range hosts {
		asked := ""
		issuer := &tokenIssuer{t: t, answer: func(int32) (int, any) { return 200, tokenAnswer("AWS:token", time.Time{}) }}
		clients := issuer.clients()
		l := NewLogins(func(region string) *ecr.Client { asked = region; return clients(region) }, time.Now)
		got, ok, err := l.Credentials(t.Context(), host)
		if err != nil || ok != (region != "") || asked != region || (got.Password.Reveal() == "token") != ok {
			t.Errorf("Credentials(%q) = %v, %v, %v after a request to %q, want one to %q", host, got, ok, err, asked, region)
		}
	}
}

// FuzzParseHost holds what ParseHost takes against what an HTTP client would
// call: a host of the closed list, with its account and region as they are in
// the name.
func FuzzParseHost(f *testing.F) {
	for host := range hosts {
		f.Add(host)
	}
	suffixes := []string{"amazonaws.com", "amazonaws.com.cn", "on.aws", "on.amazonwebservices.com.cn", "c2s.ic.gov", "sc2s.sgov.gov", "csp.hci.ic.gov", "cloud.adc-e.uk", "amazonaws.eu"}
	f.Fuzz(func(t *testing.T, host string) {
		h, ok := ParseHost(host)
		if !ok {
			if h != (Host{}) {
				t.Fatalf("%q: refused, with %+v", host, h)
			}
			return
		}
		u, err := url.Parse("https://" + host + "/v2/")
		if err != nil || u.User != nil || u.Port() != "" && u.Port() != "443" || u.Path != "/v2/" {
			t.Fatalf("%q: a client would call %+v, %v", host, u, err)
		}
		labels := strings.Split(u.Hostname(), ".")
		if labels[0] != h.Account || len(h.Account) != 12 || strings.ToLower(host) != host {
			t.Fatalf("%q: account %q", host, h.Account)
		}
		for _, s := range suffixes {
			if strings.HasSuffix(u.Hostname(), "."+h.Region+"."+s) {
				return
			}
		}
		t.Fatalf("%q: %+v ends in no suffix of AWS", host, h)
	})
}
