// Package quirks has the behaviours of ECS that its documentation leaves open.
package quirks

// Set are behaviours of ECS that its documentation leaves open. Code that
// works with ECS is tested with both values of each. The zero value has been
// observed most.
type Set struct {
	// SeparateIDs gives a deployment another number than its service revision;
	// otherwise ecs-svc/N deploys the revision …/N.
	SeparateIDs bool `json:"separate-ids"`
	// ListDelay has a new service deployment appear in ListServiceDeployments
	// two seconds (of ECS's time) late.
	ListDelay bool `json:"list-delay"`
	// PlatformDigests has tasks report the digest of the platform's manifest
	// for an image that is an index; otherwise the index's own.
	PlatformDigests bool `json:"platform-digests"`
	// EarlySuccess ends a deployment when its tasks are up and the old ones
	// are stopping; otherwise when the old ones have stopped.
	EarlySuccess bool `json:"early-success"`
	// LateCurrent has UpdateService's own answer still name the service
	// deployment and revision before.
	LateCurrent bool `json:"late-current"`
	// NoNewFields leaves out of all answers the fields that ECS has since the
	// end of 2024, as where an account or a region lacks them.
	NoNewFields bool `json:"no-new-fields"`
}
