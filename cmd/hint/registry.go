package hint

import (
	"errors"

	"slipway/registry"
	"slipway/registry/lifecycle"
	"slipway/registry/revisions"
)

// Conflict is the hint for lifecycle rules of others that conflict with Slipway's.
const Conflict = "change these rules, or overwrite the whole policy with `--replace-policy`"

// trustedHint is for images of an untrusted build.
const trustedHint = "build the commit with `slipway build` where it is trusted, and deploy that revision"

// registryHint returns the hints for errors of registry and the packages below it.
func registryHint(err error) string {
	switch e := err.(type) {
	case *registry.MissingError:
		return "check the names, the account and the region; `slipway build --create-repositories` creates the repositories of a new project"
	case *lifecycle.ConflictError:
		return Conflict
	case *lifecycle.UnreadableError:
		return "correct the policy, or overwrite it with `--replace-policy`"
	case *revisions.ExtraError:
		return "choose another tag; `slipway revisions` lists the names of revisions"
	case *revisions.NamesUsedError:
		return "build under another name with `--hash`"
	case *revisions.RevertError:
		return "run `slipway status` to see the tags, then `slipway rollback HASH` with the revision that should run: it moves all tags and deploys the revision"
	case *revisions.UnreadableError:
		if e.Archived() {
			return "restore the archived image (aws ecr update-image-storage-class --target-storage-class STANDARD …), delete it, or build under another name with `--hash`"
		}
	}
	return revisionHint(err)
}

// revisionHint returns the hints for revisions that cannot be rolled back to.
func revisionHint(err error) string {
	switch e := err.(type) {
	case *revisions.NameError:
		if errors.Is(e.Err, revisions.ErrUntrusted) {
			return trustedHint
		}
		return "give a hash or the beginning of one; `slipway revisions` lists them"
	case *revisions.UntrustedError:
		return trustedHint
	case *revisions.UnknownError:
		if len(e.Newest) == 0 {
			return "the repositories have no complete revision: create one with `slipway build`"
		}
		return "the newest complete revisions (`slipway revisions` lists all):" + revisions.Lines(e.Newest, e.At)
	case *revisions.IncompleteError:
		return e.Cause() + "; `slipway revisions` lists the complete revisions"
	case *revisions.GoneError:
		return "the images have expired or were deleted; `slipway revisions` lists the remaining ones"
	default:
		return ""
	}
}
