package awsapi

import (
	"encoding/xml"
	"fmt"
	"net/http"
)

// RequestID is the ID that answers of the query protocol give every request.
const RequestID = "00000000-0000-0000-0000-000000000000"

// WriteXML answers with a document of the query protocol.
func WriteXML(w http.ResponseWriter, status int, document any) {
	body, err := xml.MarshalIndent(document, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has gone if this fails
}

// queryError is an error of the query protocol.
type queryError struct {
	XMLName xml.Name
	Error   struct {
		Type, Code, Message string
	}
	RequestID string `xml:"RequestId"`
}

// WriteQueryError answers with an error of a service whose documents have a
// name space.
func WriteQueryError(w http.ResponseWriter, status int, namespace, code, message string) {
	e := queryError{XMLName: xml.Name{Space: namespace, Local: "ErrorResponse"}, RequestID: RequestID}
	e.Error.Type, e.Error.Code, e.Error.Message = "Sender", code, message
	WriteXML(w, status, e)
}

// Members returns a list of the query protocol: NAME.member.1, NAME.member.2
// and so on. The request's form must have been parsed.
func Members(r *http.Request, name string) []string {
	var out []string
	for i := 1; r.Form.Has(fmt.Sprintf("%s.member.%d", name, i)); i++ {
		out = append(out, r.Form.Get(fmt.Sprintf("%s.member.%d", name, i)))
	}
	return out
}
