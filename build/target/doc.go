// Package target turns the services of a compose project into BuildKit requests.
//
// Select resolves the build section of each service to a Target, a plain value,
// and SolveOpt turns a target into a request. The package reads files to check
// that they are there and to find base images; it needs no engine and makes no
// request.
package target
