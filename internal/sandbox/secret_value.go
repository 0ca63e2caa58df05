package sandbox

import (
	"encoding/json"
	"strings"

	"slipway/internal/sandbox/ecs/taskdef"
)

// secretValue returns the value of a secret or parameter for a container, by its
// valueFrom ("Pass sensitive data to an Amazon ECS container" in the guide). The
// error is the reason of a stopped task.
func (s *Server) secretValue(region, from string) (string, error) {
	parts := strings.Split(from, ":")
	switch {
	case len(parts) >= 7 && parts[2] == "secretsmanager":
		return s.managedSecret(from, parts)
	case len(parts) >= 6 && parts[2] == "ssm":
		region = parts[3]
	}
	if value, ok := s.parameters.Value(region, from); ok {
		return value, nil
	}
	return "", taskdef.SecretError(from)
}

// managedSecret reads a secret of Secrets Manager. Behind its ARN there may be the
// key of a JSON object, a staging label and a version:
// arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME:KEY:LABEL:VERSION
func (s *Server) managedSecret(from string, parts []string) (string, error) {
	value, versions := s.secrets.Value(parts[3], strings.Join(parts[:7], ":"))
	rest := append(parts[7:], "", "", "")
	key, label, version := rest[0], rest[1], rest[2]
	if versions == 0 || version != "" || label != "" && label != "AWSCURRENT" {
		return "", taskdef.SecretError(from)
	}
	if key == "" {
		return value, nil
	}
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(value), &object) != nil || object[key] == nil {
		return "", taskdef.SecretKeyError(key)
	}
	var text string
	if json.Unmarshal(object[key], &text) != nil {
		text = string(object[key])
	}
	return text, nil
}
