// Package localfs opens the local directories of a build as file systems.
//
// An engine receives such a tree, and the name and the inputs of a build are
// hashes of one. No tree holds the files that Slipway itself writes, and all
// files in it belong to root.
package localfs
