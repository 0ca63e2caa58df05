// Package engine finds the BuildKit that does the solves: a running buildkitd, a Docker
// engine, or a managed buildkitd, started for the job.
//
// It knows what each kind can and cannot do, so that a build which an engine would fail
// at the end is not begun there. What is built, and where it goes, is nobody's business
// here.
package engine
