package target

import (
	"context"

	"github.com/moby/buildkit/session/secrets/secretsprovider"

	"slipway/internal/bounded"
)

// secretRemedy is the remedy for a secret that cannot be read.
const secretRemedy = "name a regular, readable file of at most 500 KiB, BuildKit's limit for a secret"

// SecretValues returns the values of the build secrets by id, and reads the files
// among them. The error is an *fault.InputError.
func (t Target) SecretValues() (map[string][]byte, error) {
	values := map[string][]byte{}
	for _, s := range t.Secrets {
		values[s.ID] = []byte(s.Value)
		if s.File == "" {
			continue
		}
		data, err := bounded.ReadFile(context.Background(), s.File, secretsprovider.MaxSecretSize)
		if err != nil {
			return nil, badInput("services."+t.Service+".build.secrets."+s.ID, secretRemedy, "%v", err)
		}
		values[s.ID] = data
	}
	return values, nil
}
