package cmd

import (
	"cmp"
	"errors"
	"io/fs"
	"strings"

	"slipway/build"
	"slipway/build/engine"
	"slipway/build/revision"
	"slipway/build/solve"
	"slipway/internal/fault"
	"slipway/project/compose"
)

// buildHint returns the hints for errors of the stages below build, and of the
// reading of compose files.
func buildHint(err error) string {
	switch e := err.(type) {
	case *build.UnprivilegedError:
		return "switch on privileged mode in the CodeBuild project's environment, without which no engine runs there; else: " + engineHint(e.NotFoundError)
	case *compose.OutsideError:
		return "allow it with --allow fs.read=" + e.Path
	case *solve.InactiveError:
		return "give --profile " + strings.Join(e.Profiles, " --profile ") + ", or set COMPOSE_PROFILES"
	case *solve.PlatformError:
		return "name one: --engine " + strings.Join(e.Engines, "=…,") + "=…," + e.Platform + "=…"
	case *revision.GitError:
		return "correct the problem in the repository, or name the build with --hash"
	}
	switch err {
	case compose.ErrNoProject:
		return "run slipway in the project's directory, or name the file with --file"
	case revision.ErrNoSource:
		return "choose a name with --hash"
	}
	return engineHint(err)
}

// engineHint returns the hints for errors of build/engine.
func engineHint(err error) string {
	switch e := err.(type) {
	case *engine.NotFoundError:
		return notFoundHint(e)
	case *engine.CannotError:
		hint := "a buildkitd could (--engine managed starts one where buildkitd and runc are installed)"
		if e.ContainerdStore() {
			hint += ", and so could a Docker engine with the containerd store"
		}
		return hint
	case *engine.SilentError:
		return silentHint(e)
	case *engine.NetworkError:
		hint := "`--engine-network host` accepts it, `--engine-network bridge` refuses to build"
		if e.Remedy != "" {
			hint = e.Remedy + "; " + hint
		}
		return hint
	case *engine.SharedError:
		return "give this job another engine with --engine-state, or wait for the other job"
	case *engine.StateError:
		if e.TooLong {
			return "choose a shorter path with --engine-state"
		}
		return "name another directory with --engine-state, or remove this one"
	default:
		return ""
	}
}

// notFoundHint returns the first hint of the engines that were tried, else how to
// get one.
func notFoundHint(e *engine.NotFoundError) string {
	hint := ""
	for _, cause := range e.Causes {
		hint = cmp.Or(hint, fault.HintOf(cause, engineHint))
	}
	return cmp.Or(hint, "start buildkitd and set BUILDKIT_HOST (or --engine) to its address, put buildkitd and runc next to slipway or in PATH, or start Docker")
}

// silentHint finds the most frequent mistakes in an address.
func silentHint(e *engine.SilentError) string {
	switch {
	case errors.Is(e, fs.ErrPermission):
		return "let this user write to the socket: buildkitd's --group gives it to a group"
	case strings.HasSuffix(e.Address, "docker.sock"):
		return "that is a Docker engine's socket: use --engine docker, with DOCKER_HOST set to it"
	case strings.HasPrefix(e.Address, "tcp://") && !e.TLS:
		return "check that buildkitd listens there; if it requires TLS, name the directory with ca.pem, cert.pem and key.pem with --engine-tls"
	default:
		return "check that buildkitd listens there and that you may connect to it"
	}
}
