package awsclient

import "fmt"

// MaxPages is the most pages of one list that Slipway reads. The longest list
// that it asks for, the images of a repository, has 1,000 entries a page, and
// ECR keeps at most 100,000 images in a repository.
// Source: "Amazon ECR service quotas" in the ECR user guide.
const MaxPages = 1000

// PagesError is a list of AWS that does not end.
type PagesError struct {
	// List names the call and its object, such as "ECS ListTasks of shop/web".
	List string
	// Pages is the number of pages that were read.
	Pages int
	// Repeated reports whether a page token came a second time.
	Repeated bool
}

// Error says how the list goes on.
func (e *PagesError) Error() string {
	if e.Repeated {
		return fmt.Sprintf("%s: the list repeats itself: page %d has a token that an earlier page had", e.List, e.Pages)
	}
	return fmt.Sprintf("%s: the list has more than %d pages", e.List, e.Pages)
}

// EachPage reads a list page by page: page reads the one that token names, nil
// for the first, and returns the token of the next, nil or empty at the end or
// where enough was read. list names the call and its object, such as "ECS
// ListTasks of shop/web". The error is page's own, or a *PagesError when the
// list does not end.
func EachPage(list string, page func(token *string) (next *string, err error)) error {
	seen := map[string]bool{}
	var token *string
	for count := 1; ; count++ {
		next, err := page(token)
		if err != nil || next == nil || *next == "" {
			return err
		}
		if seen[*next] || count >= MaxPages {
			return &PagesError{List: list, Pages: count, Repeated: seen[*next]}
		}
		seen[*next], token = true, next
	}
}
