package ecs

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"strings"
	"time"

	"slipway/internal/sandbox/awsapi"
	"slipway/internal/sandbox/ecs/deployconfig"
	"slipway/internal/sandbox/ecs/timeline"
)

// serviceRevision is a version of a service: its settings at the time, and the
// digests to which the images of its tasks were resolved.
type serviceRevision struct {
	arn        string
	created    time.Time
	definition *taskDefinition
	settings   map[string]json.RawMessage
	pinned     map[string]string // digest by container; none where nothing is resolved
}

// deployment is an entry of a service's deployments, or a task set: a revision
// of which tasks are kept running.
type deployment struct {
	id       string
	service  *service
	revision *serviceRevision
	status   string // PRIMARY, ACTIVE; for task sets also DRAINING
	created  time.Time
	updated  time.Time

	rollout   string // IN_PROGRESS, COMPLETED, FAILED
	reason    string
	completed bool // was COMPLETED once, and can be rolled back to
	halted    bool // starts no more tasks
	failed    int  // tasks in a row
	crashed   int  // tasks since the last one that became healthy, for the throttle
	notBefore timeline.Time

	set *taskSet // nil unless it is one
}

// serviceDeployment is the record of the deployment of a revision.
type serviceDeployment struct {
	arn        string
	order      int // in the service's history
	service    *service
	target     *deployment
	sources    []*serviceRevision
	status     string
	reason     string
	created    time.Time
	started    time.Time
	finished   time.Time
	stopped    time.Time
	updated    time.Time
	visible    timeline.Time // when ECS lists it
	settings   deployconfig.Settings
	raw        json.RawMessage
	rollback   *rollbackRecord
	tripped    bool
	noStep     bool          // its event was written
	triggered  []string      // alarms
	bakesUntil timeline.Time // with alarms
	hooks      []*hookRecord
	stage      string  // of strategies other than ROLLING
	shifted    float64 // percent of the traffic that the target has
	testShift  float64
}

type rollbackRecord struct {
	reason   string
	started  time.Time
	revision string
}

// underWay reports whether a service deployment has not ended.
func (sd *serviceDeployment) underWay() bool {
	if sd == nil {
		return false
	}
	switch sd.status {
	case "PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS":
		return true
	}
	return false
}

func (sd *serviceDeployment) end(status, reason string, now time.Time) {
	sd.status, sd.reason, sd.finished, sd.updated = status, reason, now, now
}

// deploy begins a deployment of a task definition with the service's settings.
func (e *region) deploy(s *service, d *taskDefinition) error {
	settings, err := deployconfig.Parse(s.settings["deploymentConfiguration"], s.daemon())
	if err != nil {
		return err
	}
	now := e.now()
	e.supersede(s, now)
	sources := s.sources()
	number := awsapi.Digits()
	s.definition, s.cleansAt = d, 0
	target := e.newDeployment(s, d, number)
	for _, old := range s.deployments {
		old.status, old.updated = "ACTIVE", now
	}
	s.deployments = append([]*deployment{target}, s.deployments...)
	e.record(s, target, sources, settings)
	return nil
}

// newDeployment returns a deployment with its service revision. The tags of the
// images are resolved now, once and for all (the guide's "container image
// resolution").
func (e *region) newDeployment(s *service, d *taskDefinition, number string) *deployment {
	out := &deployment{
		id: "ecs-svc/" + number, service: s, status: "PRIMARY",
		created: e.now(), updated: e.now(), rollout: "IN_PROGRESS",
	}
	out.reason = "ECS deployment " + out.id + " in progress."
	if e.quirks.SeparateIDs {
		number = awsapi.Digits()
	}
	out.revision = &serviceRevision{
		arn:        e.arn("service-revision", s.cluster.name, s.name, number),
		created:    e.now(),
		definition: d,
		settings:   maps.Clone(s.settings),
		pinned:     e.images.Pin(d.Containers),
	}
	return out
}

// record begins a service deployment, which is PENDING at first.
func (e *region) record(s *service, target *deployment, sources []*serviceRevision, settings deployconfig.Settings) {
	now := e.now()
	sd := &serviceDeployment{
		arn:     e.arn("service-deployment", s.cluster.name, s.name, strings.ToLower(rand.Text()[:21])),
		order:   len(s.history),
		service: s, target: target, sources: sources, status: "PENDING",
		created: now, updated: now, visible: e.timeline.Now(),
		settings: settings, raw: s.settings["deploymentConfiguration"],
	}
	if e.quirks.ListDelay {
		sd.visible += timeline.Time(2 * time.Second)
	}
	if !settings.Rolling() && len(s.deployments) > 1 {
		sd.stage = "PRE_SCALE_UP"
		if len(sources) > 1 {
			sd.stage = "RECONCILE_SERVICE"
		}
	}
	s.history = append(s.history, sd)
	e.after(time.Second, func() { e.begin(sd) })
}

func (e *region) begin(sd *serviceDeployment) {
	if sd.status == "PENDING" {
		sd.status, sd.started, sd.updated = "IN_PROGRESS", e.now(), e.now()
		if sd.stage == "PRE_SCALE_UP" {
			e.preScaleUp(sd)
		}
	}
}

// supersede ends the service deployment under way, because another one begins.
func (e *region) supersede(s *service, now time.Time) {
	if sd := s.current(); sd.underWay() {
		sd.end("STOPPED", "Service deployment stopped because a new service deployment was started.", now)
		sd.stopped = now
	}
}

// current returns the latest service deployment, nil before the first.
func (s *service) current() *serviceDeployment {
	if len(s.history) == 0 {
		return nil
	}
	return s.history[len(s.history)-1]
}

// primary returns the deployment that the service moves to or has reached.
func (s *service) primary() *deployment {
	if len(s.deployments) == 0 {
		return nil
	}
	return s.deployments[0]
}

// sources returns the revisions that have tasks at present.
func (s *service) sources() (out []*serviceRevision) {
	for _, d := range s.deployments {
		if d.completed || s.counts(d).alive > 0 {
			out = append(out, d.revision)
		}
	}
	return out
}

// lastCompleted returns the deployment that a rollback goes to, apart from the
// primary.
func (s *service) lastCompleted() *deployment {
	for _, d := range s.deployments[1:] {
		if d.completed {
			return d
		}
	}
	return nil
}
