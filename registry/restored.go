package registry

import (
	"fmt"
	"slipway/internal/fault"
	"strings"
)

// Reverted says what Revert did.
type Reverted struct {
	// Changes are the tags that went back: From is where the roll-out had put them, To
	// where they stand now, empty for a tag that was not there before.
	Changes []Change
	// NotReverted are tags that the roll-out moved, or found moved, and that stay.
	NotReverted []NotReverted
	// SupersededBy names the revision that another job has moved latest to everywhere;
	// empty otherwise.
	SupersededBy string
}

// NotReverted is a tag that did not go back.
type NotReverted struct {
	Repository Repository
	Tag        string
	// Digest is what it stands on, empty where it is gone.
	Digest string
	Reason Reason
}

// Reason says why a tag stays where it is.
type Reason string

// The reasons.
const (
	// MovedSince: another job has moved the tag since.
	MovedSince Reason = "another job has moved it since"
	// OnlyTag: its image would be deleted with it.
	OnlyTag Reason = "it is the only tag of an image that may be running"
	// Runs: latest does not stand on what runs, so that deployed alone keeps it from
	// expiring.
	Runs Reason = "it protects what runs, which latest does not"
	// RunsNew: a service runs the image of the roll-out, or goes on to it.
	RunsNew Reason = "a service runs the new image or goes on to it"
	// RunsUnknown: the image that a service is said to run is not in the survey.
	RunsUnknown Reason = "the image that a service runs is not known in this repository"
	// Archived: the tag stood on an archived image, whose manifest ECR does not hand out.
	Archived Reason = "the image that it stood on is archived"
)

// RevertError says that tags could not be put back, and what stands where.
type RevertError struct {
	// Err is what went wrong first.
	Err error
	// Left are the changes that could not be taken back: To is what the tag stands on,
	// From where it should go, empty for nowhere.
	Left []Change
	// Unknown are the repositories that could not be looked at.
	Unknown []string
	// Unsettled is why latest may stand on several revisions, after another job moved it
	// at the same time; nil where it does not.
	Unsettled error
}

// Error tells the cause and the state of the tags.
func (e *RevertError) Error() string {
	lines := append([]string{fmt.Sprintf("putting tags back: %v", e.Err)}, describeState(e.Left, e.Unknown, e.Unsettled)...)
	return strings.Join(lines, "\n")
}

// Kind returns fault.AWS.
func (e *RevertError) Kind() fault.Kind { return fault.AWS }

// Unwrap returns what went wrong first.
func (e *RevertError) Unwrap() error { return e.Err }

// Hint says how to put the tags back.
func (e *RevertError) Hint() string {
	return "slipway status shows where the tags stand; slipway rollback HASH, with the revision that should run, moves them all and deploys it"
}
