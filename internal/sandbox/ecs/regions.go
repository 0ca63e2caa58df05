// Package ecs is a stand-in for Amazon ECS, with AWS CodeDeploy, whose deployments
// are task sets of ECS.
//
// Deployments take time: tasks start, become healthy and stop in ECS's own time,
// which can run faster than the clock. Where the documentation of ECS leaves a
// behaviour open, [Quirks] choose it.
package ecs

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"slipway/internal/sandbox/awsapi"
	"slipway/internal/sandbox/ecs/image"
	"slipway/internal/sandbox/ecs/process"
	"slipway/internal/sandbox/ecs/quirks"
	"slipway/internal/sandbox/ecs/timeline"
)

// Registry is a registry of ECR as ECS needs it.
type Registry = image.Registry

// logWriter is CloudWatch Logs as ECS needs it.
type logWriter interface {
	// Write adds lines to a log stream. It creates the stream and, with
	// createGroup set, the group.
	Write(region, group, stream string, createGroup bool, at time.Time, lines []string) error
}

// Quirks are behaviours of ECS that its documentation leaves open.
type Quirks = quirks.Set

// Options are the settings of ECS. All fields but Runner are needed.
type Options struct {
	Account string
	Clock   *awsapi.Clock
	// Registry returns the registry that serves a host's images, nil for none.
	Registry func(host string) Registry
	Logs     logWriter
	// Speed is how much faster than the clock the time of ECS runs.
	Speed  float64
	Quirks Quirks
	// Runner runs the containers of tasks. Without it they are played.
	Runner process.Runner
}

// Regions are ECS and CodeDeploy of an account in all regions.
type Regions struct {
	mu      sync.Mutex
	options Options // for regions to come
	all     map[string]*region
}

// New returns ECS without clusters.
func New(o Options) *Regions {
	return &Regions{options: o, all: map[string]*region{}}
}

// at returns the ECS of a region, which is made the first time.
func (s *Regions) at(name string) (*region, error) {
	if err := awsapi.CheckRegion(name); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.all[name]; ok {
		return e, nil
	}
	e := newRegion(s.options, name)
	s.all[name] = e
	return e, nil
}

// region is ECS in one region. It has no goroutines: every request and every
// report of a runner first carries out the events of the timeline that have
// become due.
type region struct {
	awsapi.AccountRegion
	clock  *awsapi.Clock
	images *image.Puller
	logs   logWriter
	runner process.Runner // nil if containers are played

	mu       sync.Mutex
	quirks   Quirks
	timeline *timeline.Timeline
	clusters map[string]*cluster
	families map[string]*taskFamily
	// onStep are called, with mu held, whenever something may have changed,
	// until none of them changes anything. They report whether they did.
	onStep []func() bool
}

func newRegion(o Options, name string) *region {
	return &region{
		AccountRegion: awsapi.AccountRegion{Account: o.Account, Region: name},
		clock:         o.Clock,
		images:        image.New(o.Registry),
		logs:          o.Logs,
		runner:        o.Runner,
		quirks:        o.Quirks,
		timeline:      timeline.New(o.Speed, o.Clock.Now()),
		clusters:      map[string]*cluster{},
		families:      map[string]*taskFamily{},
	}
}

// do calls f with mu held and ECS brought up to the clock.
func (e *region) do(f func() error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.advance()
	return f()
}

func (e *region) arn(kind string, parts ...string) string {
	return fmt.Sprintf("arn:%s:ecs:%s:%s:%s/%s", awsapi.Partition(e.Region), e.Region, e.Account, kind, strings.Join(parts, "/"))
}

// now returns the time of the clock, which all timestamps show.
func (e *region) now() time.Time { return e.timeline.ClockTime() }

// Errors that several actions answer.

func clientError(format string, args ...any) *awsapi.Error {
	return awsapi.Errorf("ClientException", format, args...)
}

func parameterError(format string, args ...any) *awsapi.Error {
	return awsapi.Errorf("InvalidParameterException", format, args...)
}
