// Package solve turns a compose project into images.
//
// The way is one direction: Load reads the project, Targets turns its services
// into plain values, SolveOpt turns a target into a BuildKit request, and Run
// has an engine solve them all and push each image by digest. Tags are nobody's
// business here.
package solve
