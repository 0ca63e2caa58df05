package sandbox

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// newECS is the ECS API. Names of fields, limits and errors are those of its
// API reference, version 2014-11-13; what the scheduler does follows the
// "Amazon ECS Developer Guide".
func newECS() jsonService {
	return jsonService{
		name:   "ecs",
		prefix: "AmazonEC2ContainerServiceV20141113",
		actions: map[string]jsonAction{
			"CreateCluster":               ecsAction(createCluster),
			"DescribeClusters":            ecsAction(describeClusters),
			"ListClusters":                ecsAction(listClusters),
			"DeleteCluster":               ecsAction(deleteCluster),
			"RegisterTaskDefinition":      ecsAction(registerTaskDefinition),
			"DescribeTaskDefinition":      ecsAction(describeTaskDefinition),
			"ListTaskDefinitions":         ecsAction(listTaskDefinitions),
			"DeregisterTaskDefinition":    ecsAction(deregisterTaskDefinition),
			"CreateService":               ecsAction(createService),
			"UpdateService":               ecsAction(updateService),
			"DescribeServices":            ecsAction(describeServices),
			"ListServices":                ecsAction(listServices),
			"DeleteService":               ecsAction(deleteService),
			"ListTasks":                   ecsAction(listTasks),
			"DescribeTasks":               ecsAction(describeTasks),
			"StopTask":                    ecsAction(stopTask),
			"UpdateTaskProtection":        ecsAction(updateTaskProtection),
			"GetTaskProtection":           ecsAction(getTaskProtection),
			"ListServiceDeployments":      ecsAction(listServiceDeployments),
			"DescribeServiceDeployments":  ecsAction(describeServiceDeployments),
			"DescribeServiceRevisions":    ecsAction(describeServiceRevisions),
			"StopServiceDeployment":       ecsAction(stopServiceDeployment),
			"ContinueServiceDeployment":   ecsAction(continueServiceDeployment),
			"CreateTaskSet":               ecsAction(createTaskSet),
			"DescribeTaskSets":            ecsAction(describeTaskSets),
			"UpdateTaskSet":               ecsAction(updateTaskSet),
			"UpdateServicePrimaryTaskSet": ecsAction(updateServicePrimaryTaskSet),
			"DeleteTaskSet":               ecsAction(deleteTaskSet),
			"TagResource":                 ecsAction(tagECSResource),
			"UntagResource":               ecsAction(untagECSResource),
			"ListTagsForResource":         ecsAction(listTagsForECSResource),
		},
	}
}

// ECSQuirks are behaviours of ECS that its documentation leaves open. Code that
// works with either answer is tested with both. The zero value is what has
// been seen most.
type ECSQuirks struct {
	// SeparateIDs gives a deployment another number than its service revision;
	// otherwise ecs-svc/N deploys the revision …/N.
	SeparateIDs bool `json:"separate-ids"`
	// ListDelay has a new service deployment appear in ListServiceDeployments
	// two seconds (of ECS's time) late.
	ListDelay bool `json:"list-delay"`
	// PlatformDigests has tasks report the digest of the platform's manifest
	// for an image that is an index; otherwise the index's own.
	PlatformDigests bool `json:"platform-digests"`
	// EarlySuccess ends a deployment when its tasks are up and the old ones were
	// told to stop; otherwise when the old ones have stopped.
	EarlySuccess bool `json:"early-success"`
	// LateCurrent has UpdateService's own answer still name the service
	// deployment and revision before.
	LateCurrent bool `json:"late-current"`
}

// ecs is ECS in one account and region. It has no goroutines: every request
// first lets happen what was due since the last one.
type ecs struct {
	place
	clock    *clock
	registry func(host string) *registry // that serves a host's images, nil for none
	logs     *logStore

	mu       sync.Mutex
	quirks   ECSQuirks
	timeline timeline
	clusters map[string]*ecsCluster
	families map[string]*taskFamily
	// onStep are called, with mu held, whenever something may have changed,
	// until none of them changes anything: they tell whether they did.
	onStep  []func() bool
	configs map[string]imageConfig // of image manifests, by their digests
}

// ecsAt finds the ECS of a region, which is made the first time.
func (s *Server) ecsAt(region string) (*ecs, error) {
	if !regionPattern.MatchString(region) {
		return nil, apiErrorf("InvalidSignatureException", "credential scope names no region: %q", region)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.ecs[region]; ok {
		return e, nil
	}
	e := &ecs{
		place:    place{s.options.Account, region},
		clock:    s.clock,
		registry: s.registryServing,
		logs:     s.logs,
		quirks:   s.ecsQuirks,
		timeline: timeline{speed: s.ecsSpeed, anchor: s.clock.Now()},
		clusters: map[string]*ecsCluster{},
		families: map[string]*taskFamily{},
		configs:  map[string]imageConfig{},
	}
	s.ecs[region] = e
	return e, nil
}

// registryServing finds the registry that a host name in an image reference
// stands for, nil if it is none of the sandbox's.
func (s *Server) registryServing(host string) *registry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if host == s.addr {
		return s.registries[place{s.options.Account, s.options.Region}]
	}
	for _, g := range s.registries {
		if g.host == host {
			return g
		}
	}
	if at, ok := s.placeOf(host); ok {
		return s.registries[at]
	}
	return nil
}

// ecsAction makes a jsonAction of a function that has ECS to itself and up to
// date.
func ecsAction[In, Out any](f func(*ecs, In) (Out, error)) jsonAction {
	return action(func(c jsonCall, in In) (out Out, err error) {
		e, err := c.server.ecsAt(c.region)
		if err != nil {
			return out, err
		}
		err = e.do(func() error {
			out, err = f(e, in)
			return err
		})
		return out, err
	})
}

// do runs f with ECS locked and brought up to the server's clock.
func (e *ecs) do(f func() error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.advance()
	return f()
}

// background is the context of what tasks do: it goes on when the request that
// happened to let it happen is cancelled.
func background() context.Context { return context.Background() }

func (e *ecs) arn(kind string, parts ...string) string {
	return fmt.Sprintf("arn:%s:ecs:%s:%s:%s/%s", partition(e.region), e.region, e.account, kind, strings.Join(parts, "/"))
}

// wall is the server's time, which all timestamps show.
func (e *ecs) wall() time.Time { return e.timeline.wall() }

// Errors that several actions answer.

func clientError(format string, args ...any) *apiError {
	return apiErrorf("ClientException", format, args...)
}

func parameterError(format string, args ...any) *apiError {
	return apiErrorf("InvalidParameterException", format, args...)
}
