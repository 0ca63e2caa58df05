package secretsmanager

import (
	"strings"

	"slipway/internal/sandbox/awsapi"
)

// Make makes a secret with a value, by its ARN, unless it exists.
func (s *Secrets) Make(region, arn, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.find(region, arn) != nil {
		return
	}
	_, name, _ := strings.Cut(arn, ":secret:")
	now := s.clock.Now()
	x := &secret{name: name[:max(0, len(name)-7)], arn: arn, created: now, changed: now, versions: map[string]*version{}}
	x.add(awsapi.UUID(), content{SecretString: &value}, []string{current}, now)
	s.held[region] = append(s.held[region], x)
}
