package awsclient

import "slipway/internal/fault"

// MFAError is a profile whose role wants the code of an MFA device
// ("Configuration and credential file settings" in the AWS CLI user guide,
// mfa_serial). A job cannot type one.
type MFAError struct{}

// Error says what the profile wants.
func (*MFAError) Error() string {
	return "AWS configuration: the role of the profile wants a code of an MFA device, and Slipway does not ask for one"
}

// Kind returns fault.Usage.
func (*MFAError) Kind() fault.Kind { return fault.Usage }
