package ecs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Newest returns the newest ACTIVE revision of a family, tags included. It reports false
// if the family has none. It takes one call.
func Newest(ctx context.Context, client definitionReader, family string) (Definition, bool, error) {
	d, err := describe(ctx, client, family)
	var refused *types.ClientException
	if errors.As(err, &refused) && strings.Contains(refused.ErrorMessage(), "Unable to describe task definition") {
		return Definition{}, false, nil
	}
	return d, err == nil, err
}

// RegisterDefinition registers a definition, without the fields that only ECS sets, and
// returns the ARN of the new revision. It takes one call.
func RegisterDefinition(ctx context.Context, client definitionWriter, d Definition) (string, error) {
	next, err := d.WithImages(nil)
	if err != nil {
		return "", fmt.Errorf("registering a revision of task definition %s: %w", d.Family, err)
	}
	return register(ctx, client, next)
}
