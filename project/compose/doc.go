// Package compose reads a project: its compose files, as docker compose reads
// them, and the settings under x-slipway.
//
// A project may be untrusted. Its files are bounded in size and in what they cost
// to load, and no file outside the project is read unless the operator allows it.
package compose
