// Package run runs the containers of ECS tasks as processes of this host, with
// runc. Each task has a network namespace of its own, to whose ports connections
// are forwarded from the loopback interface of this host.
package run

import (
	"slipway/internal/sandbox/ecs/image"
	"slipway/internal/sandbox/ecs/run/front"
)

// Options are the settings of a Runner. All fields but Runc and State are needed.
type Options struct {
	// Registry returns the registry that serves a host's images, nil for none.
	Registry func(host string) image.Registry
	// Secret returns the value of a secret by the valueFrom of a container
	// definition.
	Secret func(region, valueFrom string) (string, error)
	// Dir is the sandbox's directory. Images and files of containers are in its
	// directory run; all of it is removed after a sandbox that was killed.
	Dir string
	// Runc is the path of runc, which is looked for if empty.
	Runc string
	// State is the directory that lists what each sandbox has made on this host;
	// /run/slipway-sandbox if empty.
	State string
	// Opened is called when a port of a service can be reached at an address.
	Opened func(k front.Key, address string)
}
