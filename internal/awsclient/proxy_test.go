package awsclient_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"slipway/internal/awsclient"
)

// TestProxyRefuses: the answer of a proxy is in the error, and one is enough.
func TestProxyRefuses(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "key")
	var asked atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Method != http.MethodConnect || r.Host != "sts.eu-west-1.amazonaws.com:443" {
			t.Errorf("the proxy got %s %s, want CONNECT to STS", r.Method, r.Host)
		}
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	t.Cleanup(proxy.Close)
	address, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	c, err := awsclient.Open(t.Context(), awsclient.Options{Region: "eu-west-1", Timeout: awsclient.DefaultTimeout})
	if err != nil {
		t.Fatal(err)
	}
	client, ok := c.Config.HTTPClient.(*awshttp.BuildableClient)
	if !ok {
		t.Fatalf("the HTTP client is a %T, want the SDK's own", c.Config.HTTPClient)
	}
	c.Config.HTTPClient = client.WithTransportOptions(func(t *http.Transport) { t.Proxy = http.ProxyURL(address) })

	_, err = c.Account(t.Context())
	var refused *awsclient.ProxyError
	if !errors.As(err, &refused) || refused.Proxy != address.Host || refused.Status != "407 Proxy Authentication Required" {
		t.Errorf("Account returned %v, want a ProxyError with 407 of %s", err, address.Host)
	}
	if !awsclient.ProxyFailed(err) {
		t.Errorf("ProxyFailed(%v) = false, want true", err)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the proxy was asked %d times, want once", n)
	}
}
