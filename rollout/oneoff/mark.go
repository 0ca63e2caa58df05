package oneoff

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"

	"slipway/internal/awsname"
)

// markPrefix begins the startedBy of one-off tasks.
const markPrefix = "slipway/"

// maxMarkName is how many characters of a service's name startedBy has. It has at most
// 128 characters (RunTask in the ECS API reference).
const maxMarkName = 64

// mark returns the startedBy of a task. It is the same for the same task definition and
// the same images to deploy to the same service.
func (j *job) mark() string {
	deploys := slices.Sorted(slices.Values(j.Deploys))
	service := awsname.LastPart(j.Service.Service)
	key := strings.Join(append([]string{j.arn, awsname.LastPart(j.Launch.Cluster), service}, deploys...), "\n")
	return markPrefix + service[:min(len(service), maxMarkName)] + "/" + sum(key)
}

// sum returns 32 hexadecimal digits of the SHA-256 sum of a text.
func sum(text string) string {
	s := sha256.Sum256([]byte(text))
	return hex.EncodeToString(s[:16])
}

// request returns the request for the task. Its client token is the same if the request
// is, and no other task of the kind has ended since: ECS then returns the task that an
// unanswered request has started, and would return a failed one for an hour ("Ensuring
// idempotency" in the ECS API reference).
func (j *job) request(ended []string) (*awsecs.RunTaskInput, error) {
	in := &awsecs.RunTaskInput{
		TaskDefinition: &j.arn, StartedBy: &j.startedBy, Count: aws.Int32(1),
		LaunchType: j.Launch.Type, CapacityProviderStrategy: j.Launch.Providers, NetworkConfiguration: j.Launch.Network,
	}
	if j.Launch.Cluster != "" {
		in.Cluster = &j.Launch.Cluster
	}
	if j.Launch.Platform != "" {
		in.PlatformVersion = &j.Launch.Platform
	}
	text, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("one-off task %s: writing the request as JSON: %w", j.name, err)
	}
	in.ClientToken = aws.String(sum(string(text) + strings.Join(slices.Sorted(slices.Values(ended)), "\n")))
	return in, nil
}
