package redact

import (
	"regexp"
	"strings"
)

// Patterns returns s without credentials that are known by their place:
//
//   - user:password@ and token@ in a URL
//   - the value behind a name such as X-Amz-Signature, sig, access_token or
//     secret_access_key and an equals sign, in a query or a list
//   - the value of an Authorization header
//
// References to variables stay unchanged, and so does other text.
func Patterns(s string) string {
	if strings.Contains(s, "://") {
		s = addresses(s)
	}
	if strings.Contains(s, "=") {
		s = assignments(s)
	}
	if strings.Contains(s, "uthorization") || strings.Contains(s, "UTHORIZATION") {
		s = authorization.ReplaceAllString(s, "${1}"+Mark)
	}
	return s
}

var authorization = regexp.MustCompile(`(?i)(authorization["']?\s*[:=]\s*["']?(?:[a-z0-9-]+\s+)?)[^\s"',]{6,}`)

// addresses replaces the user information of URLs.
func addresses(s string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "://")
		if !found {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(before + "://")
		end := strings.IndexAny(rest, "/?#\\\"'`<> \t\r\n")
		if end < 0 {
			end = len(rest)
		}
		if at := strings.LastIndexByte(rest[:end], '@'); at > 0 && secretUser(scheme(before), rest[:at]) {
			b.WriteString(Mark)
			rest = rest[at:]
		}
		s = rest
	}
}

// scheme returns the scheme of a URL from the text before its colon.
func scheme(before string) string {
	i := len(before)
	for i > 0 && strings.IndexByte("+-.", before[i-1]) >= 0 || i > 0 && wordByte(before[i-1]) {
		i--
	}
	return strings.ToLower(before[i:])
}

// secretUser reports whether the text before the @ holds a credential. The user of
// ssh has a key elsewhere, and image references have a digest there.
func secretUser(scheme, user string) bool {
	switch scheme {
	case "docker-image", "oci-layout", "docker", "oci", "service", "target":
		return false
	case "http", "https", "git+http", "git+https":
		return true
	default:
		return strings.Contains(user, ":")
	}
}

// assignments replaces the values behind names of credentials.
func assignments(s string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '=')
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		start := i
		for start > 0 && nameByte(s[start-1]) {
			start--
		}
		name := s[start:i]
		b.WriteString(s[:i+1])
		s = s[i+1:]
		if Credential(name) {
			n := valueEnd(s)
			if value := s[:n]; value != "" && !variable.MatchString(value) {
				b.WriteString(Mark)
				s = s[n:]
			}
		}
	}
}

// variable is a value that only refers to one.
var variable = regexp.MustCompile(`^(\$[A-Za-z_][A-Za-z0-9_]*|\$\{[A-Za-z_][^}]*|\$\(.*|\*+)$`)

// valueEnd returns the length of the value that s begins with. One in quotes
// ends with them.
func valueEnd(s string) int {
	const ends = " \t\r\n&,;\"'`<>)]}|"
	if n := strings.IndexAny(s, ends); n >= 0 {
		return n
	}
	return len(s)
}

func wordByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_'
}

func nameByte(b byte) bool { return wordByte(b) || b == '-' || b == '.' || b == '%' }

// words are in the names of credentials, in lower case without - and _: of
// BuildKit's cache attributes, of AWS's, Google's and Azure's signed URLs
// ("Authenticating Requests: Using Query Parameters" in the S3 API reference,
// "Create a service SAS" in Azure's), and of what people call theirs.
var words = []string{
	"password", "passwd", "passphrase", "token", "secret", "credential", "signature", "apikey",
	"accesskey", "accountkey", "privatekey", "sharedkey", "authkey", "authorization",
}

// names are names of credentials as a whole.
var names = []string{"sig", "auth", "jwt"}

// notSecret are ends of names that hold a place or a name rather than a value.
var notSecret = []string{"file", "path", "dir", "url", "uri", "name", "arn", "host", "type", "provider", "process", "source", "ids", "count", "timeout", "ttl", "expires"}

// Credential reports whether a name, of a query parameter, an attribute, a
// variable or a build argument, is that of a credential.
func Credential(name string) bool {
	if len(name) < len("sig") || len(name) > 128 {
		return false
	}
	name = normal(name)
	for _, n := range names {
		if name == n {
			return true
		}
	}
	for _, w := range words {
		if strings.Contains(name, w) {
			return !endsLikePlace(name)
		}
	}
	return false
}

func endsLikePlace(name string) bool {
	for _, end := range notSecret {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

// normal writes a name in lower case without separators; %3D and the like of a
// name inside an encoded URL end it.
func normal(name string) string {
	if i := strings.LastIndexByte(name, '%'); i >= 0 {
		name = name[min(i+3, len(name)):]
	}
	return strings.ToLower(strings.NewReplacer("-", "", "_", "", ".", "").Replace(name))
}
