package buildspec

import (
	"fmt"
	"regexp"
)

// fileName has no character that CodeBuild reads as a pattern in artifacts.files
// ("Build specification reference for CodeBuild"), and none that YAML would have to quote.
var fileName = regexp.MustCompile(`^[A-Za-z0-9._@+=,/-]+$`)

// CheckFile returns an error for the name of an artifact that CodeBuild would not take
// literally.
func CheckFile(name string) error {
	if fileName.MatchString(name) {
		return nil
	}
	return fmt.Errorf("CodeBuild would not take %q as the name of one file", name)
}
