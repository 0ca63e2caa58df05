package target

// namespaceAttrs keep a build's steps apart from those of other builds on the
// same engine. BuildKit has no cache of its own for a request, but it keys a RUN
// step by its settings, and the name of its host and of the hosts that it knows
// are among them (ExecOp.CacheMap in solver/llbsolver/ops): a step on a host of
// another name is another step. Engines before BuildKit 0.9 know no name of the
// host, only those of other hosts. Steps that copy files are keyed by content.
// Cache mounts have a namespace by themselves.
//
// The values stand where build arguments would, and are set last: a build
// argument of the compose file cannot replace them. A frontend that a Dockerfile
// names with "# syntax" could leave them out, so the engine's own is used: it
// takes a request that has a cmdline for one that it forwarded before
// (frontend/dockerfile/builder).
func (t Target) namespaceAttrs(attrs map[string]string, namespace string) {
	if namespace == "" {
		return
	}
	attrs["build-arg:BUILDKIT_SANDBOX_HOSTNAME"] = namespace
	attrs["add-hosts"] = csvLine(append([]string{namespace + ".slipway.invalid=127.0.0.1"}, t.ExtraHosts...))
	attrs["build-arg:BUILDKIT_CACHE_MOUNT_NS"] = namespace
	attrs["cmdline"] = ""
}
