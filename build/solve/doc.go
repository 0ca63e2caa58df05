// Package solve builds the images of targets.
//
// Run has engines solve the requests of targets and push each image by digest,
// with the caches, the retries and the sessions that this takes. It creates no
// tags. Head and Resolve find the digests of base images.
package solve
