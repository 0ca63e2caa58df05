package secretsmanager

import (
	"regexp"
	"slices"
	"time"

	"slipway/internal/sandbox/awsapi"
)

// writtenOut answers a request that wrote a version.
type writtenOut struct {
	ARN           string   `json:"ARN"`
	Name          string   `json:"Name"`
	VersionID     string   `json:"VersionId,omitempty"`
	VersionStages []string `json:"VersionStages,omitempty"`
}

type createIn struct {
	Name               string
	Description        string
	ClientRequestToken string
	content
}

// namePattern has the characters of a name (CreateSecret in the API reference).
var namePattern = regexp.MustCompile(`^[A-Za-z0-9/_+=.@-]{1,512}$`)

func (s *Secrets) create(c awsapi.Call, in createIn) (out writtenOut, err error) {
	if !namePattern.MatchString(in.Name) {
		return out, awsapi.NewError("ValidationException",
			"Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
	}
	if err := checkWrite(in.ClientRequestToken, in.content, true); err != nil {
		return out, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.find(c.Region, in.Name)
	switch {
	case x == nil:
	case !x.deleted.IsZero():
		return out, awsapi.NewError("InvalidRequestException",
			"You can't create this secret because a secret with this name is already scheduled for deletion.")
	default:
		// The same request again, whose answer was lost, is not an error.
		v := x.versions[in.ClientRequestToken]
		if v == nil || !v.content.equals(in.content) {
			return out, awsapi.Errorf("ResourceExistsException", "The operation failed because the secret %s already exists.", in.Name)
		}
		return writtenOut{x.arn, x.name, in.ClientRequestToken, nil}, nil
	}
	now := s.clock.Now()
	x = &secret{
		name: in.Name, arn: s.arn(c.Region, in.Name), description: in.Description,
		created: now, changed: now, versions: map[string]*version{},
	}
	s.held[c.Region] = append(s.held[c.Region], x)
	out = writtenOut{ARN: x.arn, Name: x.name}
	if in.content != (content{}) {
		x.add(in.ClientRequestToken, in.content, []string{current}, now)
		out.VersionID = in.ClientRequestToken
	}
	return out, nil
}

// maxValue is the limit of a value in bytes (CreateSecret in the API reference).
const maxValue = 65536

// checkWrite checks the token and the value of a request that writes.
func checkWrite(token string, c content, optional bool) error {
	switch n := len(deref(c.SecretString)) + len(deref(c.SecretBinary)); {
	case token == "":
		return awsapi.NewError("InvalidRequestException",
			"You must provide a ClientRequestToken value. We recommend a UUID-type value.")
	case len(token) < 32 || len(token) > 64:
		return awsapi.NewError("ValidationException", "ClientRequestToken must have a length between 32 and 64")
	case c.SecretString != nil && c.SecretBinary != nil:
		return awsapi.NewError("InvalidParameterException", "You can't specify both a binary secret value and a string secret value in the same secret.")
	case c == content{} && !optional:
		return awsapi.NewError("InvalidRequestException", "You must provide either SecretString or SecretBinary.")
	case c != content{} && n < 1:
		return awsapi.NewError("InvalidParameterException", "You must provide a secret value.")
	case n > maxValue:
		return awsapi.NewError("ValidationException",
			"1 validation error detected: Value at 'secretString' failed to satisfy constraint: Member must have length less than or equal to 65536")
	}
	return nil
}

type putIn struct {
	SecretID           string `json:"SecretId"`
	ClientRequestToken string
	VersionStages      []string
	content
}

func (s *Secrets) put(c awsapi.Call, in putIn) (out writtenOut, err error) {
	if err := checkWrite(in.ClientRequestToken, in.content, false); err != nil {
		return out, err
	}
	err = s.locked(c, in.SecretID, func(x *secret) error {
		if !x.deleted.IsZero() {
			return errMarked
		}
		id := in.ClientRequestToken
		if v := x.versions[id]; v == nil {
			stages := in.VersionStages
			if len(stages) == 0 {
				stages = []string{current}
			}
			x.add(id, in.content, stages, s.clock.Now())
		} else if !v.content.equals(in.content) {
			return awsapi.Errorf("ResourceExistsException",
				"You can't use ClientRequestToken %s because that value is already in use for a version of secret %s.", id, x.arn)
		}
		out = writtenOut{x.arn, x.name, id, x.versions[id].stages}
		return nil
	})
	return out, err
}

type idIn struct {
	SecretID string `json:"SecretId"`
}

type describeOut struct {
	ARN                string              `json:"ARN"`
	Name               string              `json:"Name"`
	Description        string              `json:"Description,omitempty"`
	CreatedDate        *awsapi.Epoch       `json:"CreatedDate,omitempty"`
	LastChangedDate    *awsapi.Epoch       `json:"LastChangedDate,omitempty"`
	DeletedDate        *awsapi.Epoch       `json:"DeletedDate,omitempty"`
	VersionIDsToStages map[string][]string `json:"VersionIdsToStages,omitempty"`
}

// describe answers for a secret that is scheduled for deletion, too.
func (s *Secrets) describe(c awsapi.Call, in idIn) (out describeOut, err error) {
	err = s.locked(c, in.SecretID, func(x *secret) error {
		out = describeOut{
			ARN: x.arn, Name: x.name, Description: x.description, CreatedDate: awsapi.Stamp(x.created),
			LastChangedDate: awsapi.Stamp(x.changed), DeletedDate: awsapi.Stamp(x.deleted), VersionIDsToStages: map[string][]string{},
		}
		for id, v := range x.versions {
			if len(v.stages) > 0 { // the others are deprecated, and not listed
				out.VersionIDsToStages[id] = slices.Clone(v.stages)
			}
		}
		return nil
	})
	return out, err
}

type valueIn struct {
	SecretID     string `json:"SecretId"`
	VersionID    string `json:"VersionId"`
	VersionStage string
}

type valueOut struct {
	ARN           string        `json:"ARN"`
	Name          string        `json:"Name"`
	VersionID     string        `json:"VersionId"`
	VersionStages []string      `json:"VersionStages"`
	CreatedDate   *awsapi.Epoch `json:"CreatedDate"`
	content
}

func (s *Secrets) value(c awsapi.Call, in valueIn) (out valueOut, err error) {
	stage := in.VersionStage
	if stage == "" && in.VersionID == "" {
		stage = current
	}
	err = s.locked(c, in.SecretID, func(x *secret) error {
		if !x.deleted.IsZero() {
			return errMarked
		}
		for id, v := range x.versions {
			if (in.VersionID == "" || in.VersionID == id) && (stage == "" || slices.Contains(v.stages, stage)) {
				out = valueOut{x.arn, x.name, id, slices.Clone(v.stages), awsapi.Stamp(v.created), v.content}
				return nil
			}
		}
		if stage != "" {
			return awsapi.Errorf("ResourceNotFoundException",
				"Secrets Manager can't find the specified secret value for staging label: %s", stage)
		}
		return awsapi.Errorf("ResourceNotFoundException",
			"Secrets Manager can't find the specified secret value for VersionId: %s", in.VersionID)
	})
	return out, err
}

type removeIn struct {
	SecretID                   string `json:"SecretId"`
	RecoveryWindowInDays       *int
	ForceDeleteWithoutRecovery bool
}

type removeOut struct {
	ARN          string        `json:"ARN"`
	Name         string        `json:"Name"`
	DeletionDate *awsapi.Epoch `json:"DeletionDate"`
}

// remove schedules a secret for deletion after 7 to 30 days, 30 by default.
func (s *Secrets) remove(c awsapi.Call, in removeIn) (out removeOut, err error) {
	days := 30
	if in.RecoveryWindowInDays != nil {
		days = *in.RecoveryWindowInDays
	}
	if days < 7 || days > 30 {
		return out, awsapi.NewError("InvalidParameterException",
			"The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
	}
	err = s.locked(c, in.SecretID, func(x *secret) error {
		if !x.deleted.IsZero() {
			return errMarked
		}
		x.deleted = s.clock.Now()
		x.removed = x.deleted.Add(time.Duration(days) * 24 * time.Hour)
		if in.ForceDeleteWithoutRecovery {
			x.removed = x.deleted
		}
		out = removeOut{x.arn, x.name, awsapi.Stamp(x.removed)}
		return nil
	})
	return out, err
}

func (s *Secrets) restore(c awsapi.Call, in idIn) (out writtenOut, err error) {
	err = s.locked(c, in.SecretID, func(x *secret) error {
		x.deleted, x.removed = time.Time{}, time.Time{}
		out = writtenOut{ARN: x.arn, Name: x.name}
		return nil
	})
	return out, err
}
