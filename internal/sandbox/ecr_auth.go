package sandbox

import (
	"encoding/base64"
	"net/http"
	"strings"
)

type getAuthorizationTokenIn struct {
	RegistryIDs []string `json:"registryIds"`
}

type authorizationData struct {
	AuthorizationToken string `json:"authorizationToken"`
	ExpiresAt          *epoch `json:"expiresAt"`
	ProxyEndpoint      string `json:"proxyEndpoint"`
}

type getAuthorizationTokenOut struct {
	AuthorizationData []authorizationData `json:"authorizationData"`
}

func getAuthorizationToken(c jsonCall, in getAuthorizationTokenIn) (out getAuthorizationTokenOut, err error) {
	if in.RegistryIDs != nil && (len(in.RegistryIDs) < 1 || len(in.RegistryIDs) > 10) {
		return out, invalid("registryIds", "must have length between 1 and 10")
	}
	ids := in.RegistryIDs
	if ids == nil {
		ids = []string{""}
	}
	for _, id := range ids {
		g, err := c.registry(id)
		if err != nil {
			return out, err
		}
		password, expires := c.server.tokens.issue(g.region)
		out.AuthorizationData = append(out.AuthorizationData, authorizationData{
			AuthorizationToken: base64.StdEncoding.EncodeToString([]byte("AWS:" + password)),
			ExpiresAt:          stamp(expires),
			ProxyEndpoint:      "http://" + g.host,
		})
	}
	return out, nil
}

// serveSTS answers GetCallerIdentity, the one action of STS known here.
func (s *Server) serveSTS(w *watched, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		w.name("sts", "", "", "")
		writeSTS(w, http.StatusBadRequest, stsError("MalformedQueryString", err.Error()))
		return
	}
	name := r.Form.Get("Action")
	w.name("sts", name, "", "")
	switch {
	case name != "GetCallerIdentity":
		writeSTS(w, http.StatusBadRequest, stsError("InvalidAction", "Could not find operation "+name+" for version 2011-06-15"))
	case signedRegion(r) == "":
		writeSTS(w, http.StatusForbidden, stsError("MissingAuthenticationToken", "Request is missing Authentication Token"))
	default:
		writeSTS(w, http.StatusOK, strings.NewReplacer(
			"ACCOUNT", s.options.Account,
			"PARTITION", partition(s.options.Region),
		).Replace(callerIdentity))
	}
}

const callerIdentity = `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <GetCallerIdentityResult>
    <Arn>arn:PARTITION:iam::ACCOUNT:user/sandbox</Arn>
    <UserId>AIDASANDBOXSANDBOX000</UserId>
    <Account>ACCOUNT</Account>
  </GetCallerIdentityResult>
  <ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ResponseMetadata>
</GetCallerIdentityResponse>
`
