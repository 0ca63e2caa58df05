package cmd

import (
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"slipway/internal/sandbox/ecr"
)

// scanImage REPOSITORY TAG STATUS SEVERITY=N... says what ECR's scan has found, for an
// index in the image of each platform.
func scanImage(ts *testscript.TestScript, _ bool, args []string) {
	s := sandboxOf(ts)
	found := ecr.Scan{Status: args[2], Counts: map[string]int32{}}
	for _, arg := range args[3:] {
		severity, count, _ := strings.Cut(arg, "=")
		n, err := strconv.ParseInt(count, 10, 32)
		ts.Check(err)
		found.Counts[severity] = int32(n)
	}
	for _, digest := range platformDigests(ts, args[0], args[1]) {
		ts.Check(s.SetScan(args[0], digest, found))
	}
}

// scanOnPush REPOSITORY has images of a repository scanned when they are pushed.
func scanOnPush(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(sandboxOf(ts).SetScanOnPush(args[0], true))
}

// signImage REPOSITORY TAG STATUS says how far ECR's managed signing of an image is.
func signImage(ts *testscript.TestScript, _ bool, args []string) {
	s := sandboxOf(ts)
	signing := ecr.Signing{Profile: "arn:aws:signer:us-east-1:123456789012:/signing-profiles/shop", Status: args[2]}
	if signing.Status == "FAILED" {
		signing.FailureCode, signing.FailureReason = "AccessDenied", "the profile may not be used"
	}
	ts.Check(s.SetSigning(args[0], s.Tags(args[0])[args[1]], signing))
}
