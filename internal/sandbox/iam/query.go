package iam

import (
	"net/http"

	"slipway/internal/sandbox/awsapi"
)

// The name spaces of the documents of the two services.
const (
	iamNamespace = "https://iam.amazonaws.com/doc/2010-05-08/"
	stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"
)

// versionIAM is the version by which requests of the query protocol name IAM's
// API; all others are STS's.
const versionIAM = "2010-05-08"

// Malformed answers a request of the query protocol whose form cannot be parsed.
func Malformed(w http.ResponseWriter, err error) {
	awsapi.WriteQueryError(w, http.StatusBadRequest, stsNamespace, "MalformedQueryString", err.Error())
}

// Serve answers requests of STS and of IAM. The request's form must have been parsed.
// It calls name with the service, the action and the role of the request before it
// answers.
func (i *Permissions) Serve(w http.ResponseWriter, r *http.Request, name func(service, action, role string)) {
	if r.Form.Get("Version") == versionIAM {
		name("iam", r.Form.Get("Action"), r.Form.Get("RoleName"))
		i.serveIAM(w, r)
		return
	}
	name("sts", r.Form.Get("Action"), "")
	i.serveSTS(w, r)
}

func writeIAMError(w http.ResponseWriter, status int, code, message string) {
	awsapi.WriteQueryError(w, status, iamNamespace, code, message)
}
