package build

// namespaceAttrs keep a build's steps apart from those of other builds on the
// same engine. BuildKit has no cache of its own for a request, but it keys a RUN
// step by its settings, and the name of its host is one of them (ExecOp.CacheMap
// in solver/llbsolver/ops): a step on a host of another name is another step.
// Steps that copy files are keyed by content. Cache mounts have a namespace by
// themselves.
//
// The values stand where build arguments would, and are set last: a build
// argument of the compose file cannot replace them. A frontend that a Dockerfile
// names with "# syntax" could leave them out, so the engine's own is used: it
// takes a request that has a cmdline for one that it handed on before
// (frontend/dockerfile/builder).
func namespaceAttrs(attrs map[string]string, namespace string) {
	if namespace == "" {
		return
	}
	attrs["build-arg:BUILDKIT_SANDBOX_HOSTNAME"] = namespace
	attrs["build-arg:BUILDKIT_CACHE_MOUNT_NS"] = namespace
	attrs["cmdline"] = ""
}
