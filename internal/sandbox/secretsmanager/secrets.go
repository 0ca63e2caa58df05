// Package secretsmanager is a stand-in for AWS Secrets Manager.
package secretsmanager

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"slipway/internal/sandbox/awsapi"
)

// Service returns the API of Secrets Manager. Names of fields, limits and errors
// are those of its API reference, version 2017-10-17.
func (s *Secrets) Service() awsapi.Service {
	return awsapi.Service{
		Name:      "secretsmanager",
		Prefix:    "secretsmanager",
		Reference: reference,
		Actions: map[string]awsapi.Action{
			"CreateSecret":   awsapi.NewAction(s.create),
			"DescribeSecret": awsapi.NewAction(s.describe),
			"GetSecretValue": awsapi.NewAction(s.value),
			"PutSecretValue": awsapi.NewAction(s.put),
			"DeleteSecret":   awsapi.NewAction(s.remove),
			"RestoreSecret":  awsapi.NewAction(s.restore),
		},
	}
}

// Secrets are the secrets of an account in all regions.
type Secrets struct {
	clock   *awsapi.Clock
	account string

	mu   sync.Mutex
	held map[string][]*secret // by region
}

// New returns an account without secrets.
func New(account string, c *awsapi.Clock) *Secrets {
	return &Secrets{clock: c, account: account, held: map[string][]*secret{}}
}

type secret struct {
	name, arn, description string
	created, changed       time.Time
	// deleted is when the secret was scheduled for deletion, removed when it goes.
	deleted, removed time.Time
	versions         map[string]*version
}

// version is the value of a secret under a VersionId, and its staging labels.
type version struct {
	content content
	created time.Time
	stages  []string
}

// content is the value of a request: one of the two.
type content struct {
	SecretString *string `json:"SecretString,omitempty"`
	SecretBinary *[]byte `json:"SecretBinary,omitempty"`
}

func (c content) equals(other content) bool {
	text := func(c content) string { return fmt.Sprintf("%q %q", deref(c.SecretString), deref(c.SecretBinary)) }
	return text(c) == text(other)
}

func deref[T any](p *T) (out T) {
	if p != nil {
		out = *p
	}
	return out
}

// The staging labels that Secrets Manager moves by itself.
const (
	current  = "AWSCURRENT"
	previous = "AWSPREVIOUS"
)

// stage makes a version the one with a staging label. AWSPREVIOUS goes to the
// version that AWSCURRENT was removed from.
func (s *secret) stage(id, label string) {
	for other, v := range s.versions {
		if other != id && slices.Contains(v.stages, label) {
			v.stages = slices.DeleteFunc(v.stages, func(l string) bool { return l == label })
			if label == current {
				s.stage(other, previous)
			}
		}
	}
	if v := s.versions[id]; !slices.Contains(v.stages, label) {
		v.stages = append(v.stages, label)
	}
}

// add adds a version with a value, as PutSecretValue and CreateSecret do.
func (s *secret) add(id string, c content, stages []string, now time.Time) {
	s.versions[id] = &version{content: c, created: now}
	for _, label := range stages {
		s.stage(id, label)
	}
	s.changed = now
}

// find returns the secret of a name or an ARN, nil if there is none. The six
// characters at the end of an ARN may be left off. The caller holds mu.
func (s *Secrets) find(region, id string) *secret {
	for _, x := range s.held[region] {
		if !x.removed.IsZero() && !s.clock.Now().Before(x.removed) {
			continue
		}
		if x.name == id || x.arn == id || strings.TrimSuffix(x.arn, x.arn[len(x.arn)-7:]) == id {
			return x
		}
	}
	return nil
}

// locked finds the secret of a request and calls f with mu held.
func (s *Secrets) locked(c awsapi.Call, id string, f func(*secret) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.find(c.Region, id)
	if x == nil {
		return errNotFound
	}
	return f(x)
}

var (
	errNotFound = awsapi.NewError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
	errMarked   = awsapi.NewError("InvalidRequestException",
		"You can't perform this operation on the secret because it was marked for deletion.")
)

// suffix returns the characters that Secrets Manager ends an ARN with.
func suffix() string { return "-" + rand.Text()[:6] }

func (s *Secrets) arn(region, name string) string {
	return fmt.Sprintf("arn:%s:secretsmanager:%s:%s:secret:%s%s", awsapi.Partition(region), region, s.account, name, suffix())
}

// reference returns the name of the secret that a request names.
func reference(body []byte) string {
	var in struct{ Name, SecretId string }
	_ = json.Unmarshal(body, &in) // the action complains about bad JSON
	if in.Name != "" {
		return in.Name
	}
	if _, name, ok := strings.Cut(in.SecretId, ":secret:"); ok {
		return name
	}
	return in.SecretId
}

// Value returns the value of a secret in a region that has the label AWSCURRENT,
// and the number of its versions; "" and 0 if there is none.
func (s *Secrets) Value(region, name string) (value string, versions int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.find(region, name)
	if x == nil {
		return "", 0
	}
	for _, v := range x.versions {
		if slices.Contains(v.stages, current) {
			value = deref(v.content.SecretString)
		}
	}
	return value, len(x.versions)
}
