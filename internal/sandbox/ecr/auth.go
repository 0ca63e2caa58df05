package ecr

import (
	"encoding/base64"

	"slipway/internal/sandbox/awsapi"
)

type getAuthorizationTokenIn struct {
	RegistryIDs []string `json:"registryIds"`
}

type authorizationData struct {
	AuthorizationToken string        `json:"authorizationToken"`
	ExpiresAt          *awsapi.Epoch `json:"expiresAt"`
	ProxyEndpoint      string        `json:"proxyEndpoint"`
}

type getAuthorizationTokenOut struct {
	AuthorizationData []authorizationData `json:"authorizationData"`
}

func (s *Registries) getAuthorizationToken(c awsapi.Call, in getAuthorizationTokenIn) (out getAuthorizationTokenOut, err error) {
	if in.RegistryIDs != nil && (len(in.RegistryIDs) < 1 || len(in.RegistryIDs) > 10) {
		return out, awsapi.InvalidParameter("registryIds", "must have length between 1 and 10")
	}
	ids := in.RegistryIDs
	if ids == nil {
		ids = []string{""}
	}
	for _, id := range ids {
		g, err := s.registry(c, id)
		if err != nil {
			return out, err
		}
		password, expires := s.tokens.issue(g.Region)
		out.AuthorizationData = append(out.AuthorizationData, authorizationData{
			AuthorizationToken: base64.StdEncoding.EncodeToString([]byte("AWS:" + password)),
			ExpiresAt:          awsapi.Stamp(expires),
			ProxyEndpoint:      "http://" + g.host,
		})
	}
	return out, nil
}
