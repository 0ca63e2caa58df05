package iam

import (
	"encoding/xml"
	"net/http"

	"slipway/internal/sandbox/awsapi"
)

// serveSTS answers GetCallerIdentity, the one action of STS that the sandbox
// has.
func (i *Permissions) serveSTS(w http.ResponseWriter, r *http.Request) {
	switch name := r.Form.Get("Action"); {
	case name != "GetCallerIdentity":
		awsapi.WriteQueryError(w, http.StatusBadRequest, stsNamespace, "InvalidAction",
			"Could not find operation "+name+" for version 2011-06-15")
	case awsapi.SignedRegion(r) == "":
		awsapi.WriteQueryError(w, http.StatusForbidden, stsNamespace, "MissingAuthenticationToken",
			"Request is missing Authentication Token")
	default:
		caller, _ := i.identity()
		awsapi.WriteXML(w, http.StatusOK, callerIdentity{ARN: caller, UserID: "AIDASANDBOXSANDBOX000", Account: i.account, RequestID: awsapi.RequestID})
	}
}

// callerIdentity is the answer of GetCallerIdentity.
type callerIdentity struct {
	XMLName   xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ GetCallerIdentityResponse"`
	ARN       string   `xml:"GetCallerIdentityResult>Arn"`
	UserID    string   `xml:"GetCallerIdentityResult>UserId"`
	Account   string   `xml:"GetCallerIdentityResult>Account"`
	RequestID string   `xml:"ResponseMetadata>RequestId"`
}
