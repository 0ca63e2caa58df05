package awsclient

import (
	"fmt"

	"slipway/internal/fault"
)

// IncompleteError is an answer that has an item neither among its results nor among its
// failures. Such an answer has status 200: read literally, it would say that the item
// does not exist.
type IncompleteError struct {
	// Service and Operation are the ones of AWS that answered, such as ECR and
	// BatchGetImage.
	Service, Operation string
	// Item names the requested item.
	Item string
}

// Incomplete returns an *IncompleteError.
func Incomplete(service, operation, item string) error {
	return &IncompleteError{service, operation, item}
}

// Error names the service, the operation and the item.
func (e *IncompleteError) Error() string {
	return fmt.Sprintf("%s answered %s without %s", e.Service, e.Operation, e.Item)
}

// Kind returns fault.AWS.
func (e *IncompleteError) Kind() fault.Kind { return fault.AWS }

// Hint returns the remedy.
func (e *IncompleteError) Hint() string {
	return "type the command again; if the answer stays incomplete, check the proxies and endpoints on the way to AWS"
}

// RetryableError returns true: the next answer may be complete. The SDK asks for it.
func (e *IncompleteError) RetryableError() bool { return true }
