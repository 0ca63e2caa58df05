// Package engine finds the BuildKit that does the solves: a running buildkitd,
// a Docker engine, or a managed buildkitd, started for the job.
//
// It knows what each kind can and cannot do, so that a build which an engine
// would fail at the end is not begun there. It knows nothing of the images that
// are built, nor of their repositories.
package engine
