package hint

import (
	"cmp"
	"errors"
	"io/fs"
	"strings"

	"slipway/build"
	"slipway/build/engine"
	"slipway/build/revision"
	"slipway/build/solve"
	"slipway/build/target"
	"slipway/internal/fault"
	"slipway/project"
	"slipway/project/compose"
)

// buildHint returns the hints for errors of the stages below build, and of the
// reading of compose files.
func buildHint(err error) string {
	switch e := err.(type) {
	case *build.Error:
		return buildHints[e.Problem]
	case *project.Error:
		return projectHint(e)
	case *compose.FilesError:
		return "check the file names given with --file, --env-file, COMPOSE_FILE and COMPOSE_ENV_FILES"
	case *target.InactiveError:
		return "give --profile " + strings.Join(e.Profiles, " --profile ") + ", or set COMPOSE_PROFILES"
	case *build.UnprivilegedError:
		return "switch on privileged mode in the CodeBuild project's environment, without which no engine runs there; else: " + engineHint(e.NotFoundError)
	case *build.FailedError:
		if e.Lost {
			return "`slipway doctor` asks each engine; when they answer, type the command again"
		}
		return refusalHint(e.Refusal)
	case *compose.OutsideError:
		return "allow it with --allow fs.read=" + e.Path
	case *solve.PlatformError:
		return "name one: --engine " + strings.Join(e.Engines, "=…,") + "=…," + e.Platform + "=…"
	case *revision.GitError:
		return "correct the problem in the repository, or name the build with --hash"
	}
	switch err {
	case compose.ErrNoProject:
		return "run slipway in the project's directory, or name the file with --file"
	case compose.ErrNoName:
		return "give the project a name with --project-name"
	case revision.ErrNoSource:
		return "choose a name with --hash"
	}
	return engineHint(err)
}

// buildHints are the hints for the problems of a build.
var buildHints = map[build.Problem]string{
	build.NotBuilt:          "build all services once: `slipway build`",
	build.NoRepository:      "run `slipway build --create-repositories` to create them",
	build.ClearTextCache:    "name a directory with certificates with --engine-tls, or reach the engine by ssh://",
	build.ClearText:         "use TLS (`--engine-tls DIRECTORY`) or an ssh:// address",
	build.BadStateDir:       "name another directory with --engine-state, or make this one writable",
	build.BadDefinitionsDir: "make the directory writable, or name another one with --definitions-dir",
	build.Reused:            "`--rebuild` builds it again",
	build.SharedEngine:      "`--engine managed` keeps an engine for untrusted builds",
	build.CacheNotWritten:   "`--no-latest` writes none but the one that `--cache` names",
	build.PolicyUnknown:     "`slipway retention --preview` shows the images that they would let expire",
	build.PolicyTakesImages: "`slipway retention --apply` shows the images, asks and writes it",
	build.Unmirrored:        "`slipway doctor` checks the mirrors",
	build.PolicyNotWritten:  "`slipway retention` writes it",
	build.NewerRevision:     "`slipway build --force` moves latest and deploys",
	build.ManyTags:          "remove tags that others put on it: `aws ecr batch-delete-image`",
}

// projectHint returns the hint for a problem of a project.
func projectHint(e *project.Error) string {
	switch e.Problem {
	case project.NoService:
		return "give --cluster CLUSTER --ecs-service SERVICE, or write x-slipway: {ecs: {cluster: CLUSTER, service: SERVICE}} into the compose file"
	case project.NoFile:
		return "run slipway in the project's directory, or name the ECS service: --cluster CLUSTER --ecs-service SERVICE"
	case project.ForeignName:
		return "give --project-name " + e.Project + " if that is the project's name"
	default:
		return ""
	}
}

// refusalHint returns the way to grant what a step was refused.
func refusalHint(r *solve.Refusal) string {
	if r == nil {
		return ""
	}
	under := " under build of the service " + r.Service
	switch {
	case r.ByEngine:
		return "start buildkitd with `--allow-insecure-entitlement " + r.Grant + "`, or give the build another engine with `--engine`"
	case r.Grant == solve.GrantSSH:
		return "write `ssh: [" + r.Name + "]`" + under + ", and add `--allow ssh`"
	case r.Grant == solve.GrantSecret:
		return "write `secrets: [" + r.Name + "]`" + under + ", and define " + r.Name + " in the top-level `secrets`"
	default:
		return "write `entitlements: [" + r.Grant + "]`" + under + ", and add `--allow " + r.Grant + "`"
	}
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
	case *engine.MixedError:
		return "name the platform of each with --engine PLATFORM=ADDRESS|ADDRESS"
	case *engine.CommandError:
		return commandHint(e)
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
	var command *engine.CommandError
	switch {
	case errors.As(e, &command):
		return commandHint(command)
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
