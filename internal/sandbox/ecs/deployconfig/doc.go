// Package deployconfig is the deployment configuration of an ECS service: it
// reads and checks one, and computes limits and the stages of a deployment
// strategy from it.
package deployconfig
