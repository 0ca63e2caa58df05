package buildspec

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"slipway/internal/shell"
)

// Download is the download of a slipway to install, pinned by its checksum.
type Download struct {
	// URL is an https:// or s3:// address of the program itself, or of an archive
	// (.tar.gz, .tgz) that has it, and the programs to install with it, at its
	// top.
	URL string
	// SHA256 is the checksum of the downloaded file, in 64 hex digits.
	SHA256 string
}

// InstallError is a download that cannot be pinned.
type InstallError struct {
	// Field is "URL" or "SHA256".
	Field   string
	Problem string
	remedy  string
}

// Error returns the problem of the field.
func (e *InstallError) Error() string { return e.Problem }

// Hint returns the remedy.
func (e *InstallError) Hint() string { return e.remedy }

var checksum = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Check returns an *InstallError for an address or a checksum that a build could
// not use.
func (d Download) Check() error {
	u, err := url.Parse(d.URL)
	if err == nil && u.User != nil {
		return &InstallError{"URL", "the address holds a password, which would stand in the buildspec", "put the file where the job's role may read it: s3://BUCKET/KEY"}
	}
	if err != nil || u.Host == "" || u.Path == "" || u.Scheme != "https" && u.Scheme != "s3" {
		return &InstallError{"URL", fmt.Sprintf("%q is not an https:// or s3:// address of a file", d.URL), "write https://HOST/PATH or s3://BUCKET/KEY"}
	}
	if !checksum.MatchString(d.SHA256) {
		return &InstallError{"SHA256", fmt.Sprintf("%q is not a SHA-256 checksum in 64 lower-case hex digits", d.SHA256), "sha256sum FILE prints it"}
	}
	return nil
}

// downloaded holds the name of the downloaded file, a new one in each job. It is
// outside the source's directory: inside, it would make the tree dirty and become
// part of the build's context.
const downloaded = `"$SLIPWAY_DOWNLOAD"`

// installed is the directory of the programs, in the PATH of every build image.
const installed = "/usr/local/bin"

// commands fetch, verify and install. CodeBuild ends the phase at the first that fails, and
// keeps variables from one command to the next (version 0.2 in the "Build specification
// reference for CodeBuild"). curl follows redirects to https alone.
func (d Download) commands() []string {
	fetch := "curl --proto '=https' --proto-redir '=https' -fsSL --retry 5 -o " + downloaded + " " + shell.Word(d.URL)
	if strings.HasPrefix(d.URL, "s3://") {
		fetch = "aws s3 cp --only-show-errors " + shell.Word(d.URL) + " " + downloaded
	}
	install := "install -m 755 " + downloaded + " " + installed + "/slipway"
	if d.archive() {
		install = "tar -xzf " + downloaded + " -C " + installed
	}
	return []string{
		"SLIPWAY_DOWNLOAD=$(mktemp)",
		fetch,
		`echo "` + d.SHA256 + `  $SLIPWAY_DOWNLOAD" | sha256sum -c -`,
		install,
		"rm -f " + downloaded,
	}
}

func (d Download) archive() bool {
	u, err := url.Parse(d.URL)
	return err == nil && (strings.HasSuffix(u.Path, ".tar.gz") || strings.HasSuffix(u.Path, ".tgz"))
}
