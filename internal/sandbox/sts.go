package sandbox

import (
	"encoding/xml"
	"net/http"
	"strings"
)

// serveSTS answers GetCallerIdentity, the one action of STS that the sandbox has.
func (i *iam) serveSTS(w http.ResponseWriter, r *http.Request) {
	name := r.Form.Get("Action")
	switch {
	case name != "GetCallerIdentity":
		writeSTS(w, http.StatusBadRequest, stsError("InvalidAction", "Could not find operation "+name+" for version 2011-06-15"))
	case signedRegion(r) == "":
		writeSTS(w, http.StatusForbidden, stsError("MissingAuthenticationToken", "Request is missing Authentication Token"))
	default:
		caller, _ := i.identity()
		writeSTS(w, http.StatusOK, strings.NewReplacer("CALLER", caller, "ACCOUNT", i.account).Replace(callerIdentity))
	}
}

const callerIdentity = `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <GetCallerIdentityResult>
    <Arn>CALLER</Arn>
    <UserId>AIDASANDBOXSANDBOX000</UserId>
    <Account>ACCOUNT</Account>
  </GetCallerIdentityResult>
  <ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ResponseMetadata>
</GetCallerIdentityResponse>
`

// stsError is an error in the query protocol's format.
func stsError(code, message string) string {
	type detail struct {
		Type    string
		Code    string
		Message string
	}
	body, err := xml.MarshalIndent(struct {
		XMLName   xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
		Error     detail
		RequestID string `xml:"RequestId"`
	}{Error: detail{"Sender", code, message}, RequestID: "00000000-0000-0000-0000-000000000000"}, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(body)
}

func writeSTS(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // the client has gone if this fails
}
