// Package iam computes the least IAM policy that commands of Slipway need.
//
// A Use names the commands, their flags and the resources that they work on; its
// method Policy returns the policy. The package makes no request.
package iam
