// Package stack has the CloudFormation templates for the resources around ECS services:
// network, load balancer or API, roles, log group, and the pipeline. A template is a
// file with parameters. Slipway applies none.
package stack
