// Package solve builds the images of a compose project.
//
// Targets turns the services of a project into plain values, SolveOpt turns a
// target into a BuildKit request, and Run has an engine solve the requests and
// push each image by digest. It creates no tags.
package solve
