package hint

import (
	"errors"

	"github.com/aws/smithy-go"

	"slipway/internal/awsclient"
)

// awsHint returns the hint for the refusals of AWS that users meet most.
func awsHint(err error) string {
	if awsclient.ProxyFailed(err) {
		return "correct HTTPS_PROXY, or add the hosts of AWS to NO_PROXY, such as .amazonaws.com"
	}
	if awsclient.Unreachable(err) {
		return "AWS cannot be reached: check the network, the region and AWS_ENDPOINT_URL"
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	switch code := api.ErrorCode(); code {
	case "AccessDeniedException", "AccessDenied":
		return "allow the action that the message names in the role's or user's policy"
	case "ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "InvalidSignatureException", "InvalidClientTokenId":
		return "log in to AWS again: the credentials are expired or wrong (aws sts get-caller-identity shows whose they are)"
	case "ThrottlingException", "TooManyRequestsException":
		return "run the same command again: it goes on from where it stopped"
	case "LimitExceededException":
		return "a quota of AWS is reached: remove what is not needed, or have the quota raised (ECR: 1,000 tags an image, 100,000 images a repository)"
	default:
		return ""
	}
}

// Region is the hint for a region that does not exist.
const Region = "write a region such as eu-west-1 into --region, AWS_REGION or the profile"

// clientHint returns the hints for errors of internal/awsclient.
func clientHint(err error) string {
	if _, ok := err.(*awsclient.RegionError); ok {
		return Region
	}
	if _, ok := err.(*awsclient.MFAError); ok {
		return "let the AWS CLI ask for it: `eval \"$(aws configure export-credentials --format env)\"`"
	}
	if err == awsclient.ErrNoRegion {
		return "set AWS_REGION, or give --region"
	}
	return ""
}
