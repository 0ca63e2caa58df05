package build

import (
	"errors"
	"fmt"

	"slipway/internal/fault"
)

// Problem is the class of an Error.
type Problem int

// The problems of a build that a user corrects on the command line.
const (
	_ Problem = iota
	// NotBuilt is a service that the build leaves out and that has no latest image.
	NotBuilt
	// NoRepository is a missing repository that the build may not create.
	NoRepository
	// ClearTextCache is a cache on S3 whose credentials would not be encrypted.
	ClearTextCache
	// ClearText is a connection to an engine that is not encrypted.
	ClearText
	// BadStateDir is a state directory that an engine cannot use.
	BadStateDir
	// BadDefinitionsDir is a directory in which no definitions can be written.
	BadDefinitionsDir
	// Reused is a revision that is complete, so that nothing is built.
	Reused
	// SharedEngine is an engine that trusted and untrusted builds share.
	SharedEngine
	// CacheNotWritten is a layer cache that this build does not write.
	CacheNotWritten
	// PolicyUnknown is a lifecycle policy that was not written, because the images
	// that it affects are not known.
	PolicyUnknown
	// PolicyTakesImages is a lifecycle policy that was not written, because images
	// of others would expire.
	PolicyTakesImages
	// Unmirrored is an image that a mirror does not give.
	Unmirrored
	// PolicyNotWritten is a lifecycle policy that could not be written.
	PolicyNotWritten
	// NewerRevision is a revision of a later commit that another job made meanwhile.
	NewerRevision
	// ManyTags is an image that has nearly as many tags as ECR allows.
	ManyTags
)

// Error is a failure of a build, or a note of one that goes on. The command line
// knows a hint for its problem.
type Error struct {
	Problem Problem
	Err     error
	kind    fault.Kind
}

// Error returns the text of the cause.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Kind returns the kind of the failure.
func (e *Error) Kind() fault.Kind { return e.kind }

// badInput returns an input error with a problem.
func badInput(p Problem, where, format string, args ...any) error {
	return &fault.InputError{Where: where, Err: &Error{Problem: p, Err: fmt.Errorf(format, args...)}}
}

// warn logs a problem that does not end the build.
func (j *job) warn(p Problem, format string, args ...any) {
	err := &Error{Problem: p, Err: fmt.Errorf(format, args...)}
	j.WarnError(err, err.Error())
}

// note logs a fact, for which the command line may know a hint.
func (j *job) note(p Problem, format string, args ...any) {
	err := &Error{Problem: p, Err: fmt.Errorf(format, args...)}
	j.InfoError(err, err.Error())
}

// NotSelected returns the error of a service that is not built and has no latest
// image in its repository, whose name may be empty.
func NotSelected(service, repository string) error {
	if repository != "" {
		repository += " "
	}
	problem := "is not among the services to build, and " + repository +
		"has no latest image that could stand for it in the revision"
	return &fault.InputError{Where: "services." + service, Err: &Error{Problem: NotBuilt, Err: errors.New(problem)}}
}
