package compose

import "github.com/compose-spec/compose-go/v2/types"

// SecretFiles returns the paths of the files with the values of a project's secrets, by
// the names of the secrets.
func SecretFiles(p *types.Project) map[string]string {
	out := map[string]string{}
	for key, s := range p.Secrets {
		if s.File != "" && !bool(s.External) {
			out[key] = s.File
		}
	}
	return out
}
