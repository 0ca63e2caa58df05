package sandbox

import (
	"encoding/xml"
	"net/http"
)

// versionIAM is how a request of the query protocol names IAM's API; all others are STS's.
const versionIAM = "2010-05-08"

// Serve answers the services that speak AWS's query protocol: STS and IAM. It
// calls name with the service, the action and the role of the request before it
// answers.
func (i *iam) Serve(w http.ResponseWriter, r *http.Request, name func(service, action, role string)) {
	if err := r.ParseForm(); err != nil {
		name("sts", "", "")
		writeSTS(w, http.StatusBadRequest, stsError("MalformedQueryString", err.Error()))
		return
	}
	if r.Form.Get("Version") == versionIAM {
		name("iam", r.Form.Get("Action"), r.Form.Get("RoleName"))
		i.serveIAM(w, r)
		return
	}
	name("sts", r.Form.Get("Action"), "")
	i.serveSTS(w, r)
}

// writeIAM answers with a document of IAM's.
func writeIAM(w http.ResponseWriter, status int, document any) {
	body, err := xml.MarshalIndent(document, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeSTS(w, status, string(body))
}

// iamFailure is an error as IAM answers it.
type iamFailure struct {
	XMLName xml.Name `xml:"https://iam.amazonaws.com/doc/2010-05-08/ ErrorResponse"`
	Error   struct {
		Type, Code, Message string
	}
	RequestID string `xml:"RequestId"`
}

func writeIAMError(w http.ResponseWriter, status int, code, message string) {
	var e iamFailure
	e.Error.Type, e.Error.Code, e.Error.Message = "Sender", code, message
	e.RequestID = requestID
	writeIAM(w, status, e)
}

const requestID = "00000000-0000-0000-0000-000000000000"
