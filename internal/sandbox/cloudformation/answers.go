package cloudformation

import (
	"encoding/xml"
	"errors"
	"maps"
	"net/http"
	"slices"

	"slipway/internal/sandbox/awsapi"
)

// created is the answer of CreateChangeSet.
type created struct {
	XMLName   xml.Name `xml:"http://cloudformation.amazonaws.com/doc/2010-05-15/ CreateChangeSetResponse"`
	ID        string   `xml:"CreateChangeSetResult>Id"`
	StackID   string   `xml:"CreateChangeSetResult>StackId"`
	RequestID string   `xml:"ResponseMetadata>RequestId"`
}

// executed is the answer of ExecuteChangeSet.
type executed struct {
	XMLName   xml.Name `xml:"http://cloudformation.amazonaws.com/doc/2010-05-15/ ExecuteChangeSetResponse"`
	Result    struct{} `xml:"ExecuteChangeSetResult"`
	RequestID string   `xml:"ResponseMetadata>RequestId"`
}

// deleted is the answer of DeleteStack.
type deleted struct {
	XMLName   xml.Name `xml:"http://cloudformation.amazonaws.com/doc/2010-05-15/ DeleteStackResponse"`
	RequestID string   `xml:"ResponseMetadata>RequestId"`
}

// describedChange is the answer of DescribeChangeSet.
type describedChange struct {
	XMLName   xml.Name   `xml:"http://cloudformation.amazonaws.com/doc/2010-05-15/ DescribeChangeSetResponse"`
	Result    changeView `xml:"DescribeChangeSetResult"`
	RequestID string     `xml:"ResponseMetadata>RequestId"`
}

type changeView struct {
	ChangeSetID     string `xml:"ChangeSetId"`
	ChangeSetName   string
	StackID         string `xml:"StackId"`
	StackName       string
	Status          string
	StatusReason    string `xml:"StatusReason,omitempty"`
	ExecutionStatus string
}

// summary is the answer of GetTemplateSummary.
type summary struct {
	XMLName    xml.Name   `xml:"http://cloudformation.amazonaws.com/doc/2010-05-15/ GetTemplateSummaryResponse"`
	Parameters []declared `xml:"GetTemplateSummaryResult>Parameters>member"`
	RequestID  string     `xml:"ResponseMetadata>RequestId"`
}

type declared struct{ ParameterKey string }

// summarize returns the parameters of a stack.
func (s *Stacks) summarize(region, stack string) (any, error) {
	p, ok := s.stacks[key{region, stack}]
	if !ok {
		return nil, invalid("Stack with id %s does not exist", stack)
	}
	out := summary{RequestID: awsapi.RequestID}
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		out.Parameters = append(out.Parameters, declared{name})
	}
	return out, nil
}

// change answers the actions that change stacks, and GetTemplateSummary.
func (s *Stacks) change(w http.ResponseWriter, r *http.Request, region string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer, err := s.changed(r, region)
	var e *refusal
	switch {
	case errors.As(err, &e):
		refuse(w, http.StatusBadRequest, e.code, e.message)
	case err != nil:
		refuse(w, http.StatusInternalServerError, "InternalFailure", err.Error())
	default:
		awsapi.WriteXML(w, http.StatusOK, answer)
	}
}

// changed carries out such an action. The caller holds mu.
func (s *Stacks) changed(r *http.Request, region string) (any, error) {
	name, stack := r.Form.Get("ChangeSetName"), r.Form.Get("StackName")
	switch r.Form.Get("Action") {
	case "CreateChangeSet":
		c, err := s.createChangeSet(newRequest(r, region))
		if err != nil {
			return nil, err
		}
		return created{ID: c.id, StackID: c.next.id, RequestID: awsapi.RequestID}, nil
	case "DeleteStack":
		return deleted{RequestID: awsapi.RequestID}, s.remove(region, stack)
	case "GetTemplateSummary":
		return s.summarize(region, stack)
	case "ExecuteChangeSet":
		return executed{RequestID: awsapi.RequestID}, s.execute(region, name, stack)
	}
	c, err := s.find(name, stack)
	if err != nil {
		return nil, err
	}
	return describedChange{Result: c.view(), RequestID: awsapi.RequestID}, nil
}

func (c *changeSet) view() changeView {
	execution := "AVAILABLE"
	switch {
	case c.executed:
		execution = "EXECUTE_COMPLETE"
	case c.status == "FAILED":
		execution = "UNAVAILABLE"
	}
	return changeView{c.id, c.name, c.next.id, c.stack, c.status, c.reason, execution}
}
