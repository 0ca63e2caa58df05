package s3

import (
	"cmp"
	"crypto/rand"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// bucketLifecycle is a bucket's lifecycle configuration as it was put, with IDs
// for the rules that had none. It has no effect on objects.
type bucketLifecycle struct {
	document    element
	minimumSize string // x-amz-transition-default-minimum-object-size
}

const (
	namespace         = "http://s3.amazonaws.com/doc/2006-03-01/"
	minimumSizeHeader = "X-Amz-Transition-Default-Minimum-Object-Size"
	maxBucketRules    = 1000
)

// element is any XML element without its attributes.
type element struct {
	XMLName  xml.Name
	Text     string    `xml:",chardata"`
	Children []element `xml:",any"`
}

func (e element) child(name string) *element {
	for i := range e.Children {
		if e.Children[i].XMLName.Local == name {
			return &e.Children[i]
		}
	}
	return nil
}

func (e element) text(name string) string {
	if c := e.child(name); c != nil {
		return strings.TrimSpace(c.Text)
	}
	return ""
}

// bare drops name spaces and the white space between elements.
func (e element) bare() element {
	out := element{XMLName: xml.Name{Local: e.XMLName.Local}}
	if len(e.Children) == 0 {
		out.Text = strings.TrimSpace(e.Text)
	}
	for _, c := range e.Children {
		out.Children = append(out.Children, c.bare())
	}
	return out
}

func (s *Store) serveLifecycle(w http.ResponseWriter, r *http.Request) {
	bucket := Bucket(r)
	exists, err := s.backend.BucketExists(bucket)
	if err == nil && !exists {
		err = &apiError{http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist"}
	}
	if err == nil {
		err = s.changeLifecycle(w, r, bucket)
	}
	if err != nil {
		writeError(w, r, err)
	}
}

func (s *Store) changeLifecycle(w http.ResponseWriter, r *http.Request, bucket string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Method {
	case http.MethodGet:
		l, ok := s.lifecycles[bucket]
		if !ok {
			return &apiError{http.StatusNotFound, "NoSuchLifecycleConfiguration",
				"The lifecycle configuration does not exist"}
		}
		return l.write(w)
	case http.MethodPut:
		document, err := readLifecycle(r.Body)
		if err != nil {
			return err
		}
		l := bucketLifecycle{document, cmp.Or(r.Header.Get(minimumSizeHeader), "all_storage_classes_128K")}
		s.lifecycles[bucket] = l
		w.Header().Set(minimumSizeHeader, l.minimumSize)
		w.WriteHeader(http.StatusOK)
		return nil
	case http.MethodDelete:
		delete(s.lifecycles, bucket)
		w.WriteHeader(http.StatusNoContent)
		return nil
	default:
		return &apiError{http.StatusMethodNotAllowed, "MethodNotAllowed",
			"The specified method is not allowed against this resource."}
	}
}

func (l bucketLifecycle) write(w http.ResponseWriter) error {
	body, err := xml.Marshal(l.document)
	if err != nil {
		return fmt.Errorf("writing the lifecycle configuration: %w", err)
	}
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set(minimumSizeHeader, l.minimumSize)
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(append([]byte(xml.Header), body...)) // the client has gone if this fails
	return nil
}

func malformed(err error) error {
	return &apiError{http.StatusBadRequest, "MalformedXML",
		"The XML you provided was not well-formed or did not validate against our published schema: " + err.Error()}
}

// readLifecycle reads a configuration and applies the rules of the API
// reference of PutBucketLifecycleConfiguration.
func readLifecycle(r io.Reader) (element, error) {
	var document element
	if err := xml.NewDecoder(r).Decode(&document); err != nil {
		return document, malformed(err)
	}
	document = document.bare()
	document.XMLName.Space = namespace
	if document.XMLName.Local != "LifecycleConfiguration" || len(document.Children) < 1 || len(document.Children) > maxBucketRules {
		return document, malformed(fmt.Errorf("a LifecycleConfiguration has 1 to %d rules", maxBucketRules))
	}
	seen := map[string]bool{}
	for i := range document.Children {
		rule := &document.Children[i]
		if err := checkBucketRule(*rule); err != nil {
			return document, err
		}
		id := rule.text("ID")
		if id == "" {
			id = rand.Text()
			rule.Children = append([]element{{XMLName: xml.Name{Local: "ID"}, Text: id}}, rule.Children...)
		}
		if seen[id] {
			return document, &apiError{http.StatusBadRequest, "InvalidArgument",
				"Rule ID must be unique. Found same ID for more than one rule: " + id}
		}
		seen[id] = true
	}
	return document, nil
}

var bucketActions = []string{
	"Expiration", "Transition", "NoncurrentVersionExpiration", "NoncurrentVersionTransition", "AbortIncompleteMultipartUpload",
}

func checkBucketRule(rule element) error {
	if rule.XMLName.Local != "Rule" {
		return malformed(errors.New("unknown element " + rule.XMLName.Local))
	}
	if s := rule.text("Status"); s != "Enabled" && s != "Disabled" {
		return malformed(fmt.Errorf("status of a rule must be Enabled or Disabled, not %q", s))
	}
	if (rule.child("Filter") == nil) == (rule.child("Prefix") == nil) {
		return malformed(errors.New("a rule has either Filter or Prefix"))
	}
	if len(rule.text("ID")) > 255 {
		return &apiError{http.StatusBadRequest, "InvalidArgument", "ID length should not exceed allowed limit of 255"}
	}
	var actions int
	for _, name := range bucketActions {
		action := rule.child(name)
		if action == nil {
			continue
		}
		actions++
		if err := checkDays(*action); err != nil {
			return err
		}
	}
	if actions == 0 {
		return &apiError{http.StatusBadRequest, "InvalidRequest", "At least one action needs to be specified in a rule"}
	}
	return nil
}

func checkDays(action element) error {
	for _, field := range []string{"Days", "NoncurrentDays", "DaysAfterInitiation"} {
		if action.child(field) == nil || action.XMLName.Local == "Transition" {
			continue
		}
		if n, err := strconv.Atoi(action.text(field)); err != nil || n < 1 {
			return &apiError{http.StatusBadRequest, "InvalidArgument",
				fmt.Sprintf("'%s' for %s action must be a positive integer", field, action.XMLName.Local)}
		}
	}
	return nil
}
