package awsclient

import (
	"context"
	"net/http"
	"net/url"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// newHTTPClient returns the SDK's own client with two changes. It keeps as many idle
// connections to a host as in all, where the SDK closes all but ten: a project of
// many services sends more requests at once, one wave after the other. And its error
// has the answer of a proxy that refuses, which Go leaves out.
func newHTTPClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = t.MaxIdleConns
		t.OnProxyConnectResponse = func(_ context.Context, proxy *url.URL, _ *http.Request, answer *http.Response) error {
			if answer.StatusCode == http.StatusOK {
				return nil
			}
			return &ProxyError{proxy.Host, answer.Status}
		}
	})
}
