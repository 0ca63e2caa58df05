package awsclient

import (
	"errors"
	"fmt"
	"net"
)

// ProxyError is a proxy that refuses to connect to AWS. It is not asked again.
type ProxyError struct {
	Proxy  string // host and port
	Status string // its answer, such as 407 Proxy Authentication Required
}

// Error says which proxy refuses, and with what.
func (e *ProxyError) Error() string {
	return fmt.Sprintf("the proxy %s refuses the connection: %s", e.Proxy, e.Status)
}

// RetryableError returns false for the SDK.
func (*ProxyError) RetryableError() bool { return false }

// ProxyFailed reports whether a proxy did not answer, or refused.
func ProxyFailed(err error) bool {
	var refused *ProxyError
	var dial *net.OpError
	return errors.As(err, &refused) || errors.As(err, &dial) && dial.Op == "proxyconnect"
}
