package project

import (
	"context"
	"os"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/build/target"
	"slipway/internal/allow"
	"slipway/internal/fault"
	"slipway/rollout/secret"
)

// Secrets are the secrets that the containers of a project read.
type Secrets struct {
	Project string
	// List has them with their values on this host, sorted by their names.
	List []secret.Local
}

// ReadSecrets reads the project's secrets with these names, all if there is none, and
// their values on this host. Each value is a secret of the host's from then on.
func ReadSecrets(ctx context.Context, w *Host, o Options, names []string) (Secrets, error) {
	return readSecrets(ctx, w, o, names, func(*types.Project, []secret.Secret) error { return nil })
}

// SecretsToPush is ReadSecrets for secrets whose values are to be written: it returns
// those that are the project's own. It refuses a value that is missing or cannot be
// written, an external secret that a name asks for, and a project whose builds send
// the file of a secret.
func SecretsToPush(ctx context.Context, w *Host, o Options, names []string) (Secrets, error) {
	read, err := readSecrets(ctx, w, o, names, refuseSentSecrets)
	if err != nil {
		return Secrets{}, err
	}
	out := Secrets{Project: read.Project}
	for _, l := range read.List {
		switch {
		case l.Err != nil:
			return Secrets{}, l.Err
		case l.External && len(names) == 0:
			w.Infof("%s is external: left alone", l.Key)
			continue
		case !l.Found:
			return Secrets{}, l.Missing()
		case l.Cut:
			w.Infof("%s: the newline at the end of the value is cut off", l.Key)
		}
		out.List = append(out.List, l)
	}
	return out, nil
}

func readSecrets(ctx context.Context, w *Host, o Options, names []string, check func(*types.Project, []secret.Secret) error) (Secrets, error) {
	var out Secrets
	_, err := Load(ctx, w, o, func(composed *types.Project, wanted *allow.Wanted) error {
		out = Secrets{Project: composed.Name}
		all, err := secret.Of(composed)
		if err != nil {
			return err
		}
		if err := check(composed, all); err != nil {
			return err
		}
		if all, err = secret.Named(all, names); err != nil {
			return err
		}
		for _, s := range all {
			if mayReadSecret(composed, s, wanted) {
				out.List = append(out.List, w.localSecret(ctx, composed, s))
			}
		}
		return ctx.Err()
	})
	return out, err
}

// mayReadSecret notes what the value of a secret needs beyond the project's own, and
// reports whether it may be read.
func mayReadSecret(composed *types.Project, s secret.Secret, wanted *allow.Wanted) bool {
	if s.Variable != "" {
		wanted.Scan(composed.Environment[s.Variable], s.Field())
	}
	if s.File == "" {
		return true
	}
	if _, err := os.Lstat(s.File); err != nil {
		return true
	}
	return wanted.Read(s.File, s.Field())
}

// localSecret reads the value of a secret on this host, and makes it one of the host's
// secrets before anything can print it.
func (h *Host) localSecret(ctx context.Context, composed *types.Project, s secret.Secret) secret.Local {
	local := secret.ReadLocal(ctx, s, func(name string) (string, bool) {
		value, ok := composed.Environment[name]
		return value, ok
	})
	h.Secrets.Add(local.Value.Reveal())
	return local
}

// refuseSentSecrets refuses a project in which a build sends the file of a secret to a
// builder, from where it can get into an image.
func refuseSentSecrets(composed *types.Project, secrets []secret.Secret) error {
	for _, s := range secrets {
		if s.External || s.File == "" {
			continue
		}
		field, err := target.Sends(composed, s.File)
		if err != nil {
			return err
		}
		if field != "" {
			return fault.NewInput(field, "the builder would get "+s.File+", the file of secret "+s.Key,
				"exclude the file with .dockerignore, or move it out of the context")
		}
	}
	return nil
}

// addSecrets adds the secrets of the containers where the compose file owns the task
// definitions. Elsewhere, secrets of services are for docker compose alone.
func (p *Plan) addSecrets(composed *types.Project) (err error) {
	if p.Settings.Task == nil {
		return nil
	}
	if p.Secrets, err = secret.Of(composed); err != nil {
		return err
	}
	return refuseSentSecrets(composed, p.Secrets)
}
