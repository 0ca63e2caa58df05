package ecs

import (
	"context"
	"fmt"
)

// RegisterDefinition registers a definition, without the fields that only ECS sets, and
// returns the ARN of the new revision. It takes one call.
func RegisterDefinition(ctx context.Context, client definitionWriter, d Definition) (string, error) {
	next, err := d.WithImages(nil)
	if err != nil {
		return "", fmt.Errorf("registering a revision of task definition %s: %w", d.Family, err)
	}
	return register(ctx, client, next)
}
