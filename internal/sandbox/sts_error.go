package sandbox

import (
	"encoding/xml"
	"net/http"
)

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
