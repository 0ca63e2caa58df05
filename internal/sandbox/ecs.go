package sandbox

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"slipway/internal/sandbox/awsapi"
)

// service returns the ECS API. Names of fields, limits and errors are those of
// its API reference, version 2014-11-13; the scheduler follows the "Amazon ECS
// Developer Guide".
func (s *ecsRegions) service() awsapi.Service {
	return awsapi.Service{
		Name:      "ecs",
		Prefix:    "AmazonEC2ContainerServiceV20141113",
		Reference: ecsReference,
		Actions: map[string]awsapi.Action{
			"CreateCluster":               ecsAction(s, createCluster),
			"DescribeClusters":            ecsAction(s, describeClusters),
			"ListClusters":                ecsAction(s, listClusters),
			"DeleteCluster":               ecsAction(s, deleteCluster),
			"RegisterTaskDefinition":      ecsAction(s, registerTaskDefinition),
			"DescribeTaskDefinition":      ecsAction(s, describeTaskDefinition),
			"ListTaskDefinitions":         ecsAction(s, listTaskDefinitions),
			"DeregisterTaskDefinition":    ecsAction(s, deregisterTaskDefinition),
			"CreateService":               ecsAction(s, createService),
			"UpdateService":               ecsAction(s, updateService),
			"DescribeServices":            ecsAction(s, describeServices),
			"ListServices":                ecsAction(s, listServices),
			"DeleteService":               ecsAction(s, deleteService),
			"ListTasks":                   ecsAction(s, listTasks),
			"DescribeTasks":               ecsAction(s, describeTasks),
			"StopTask":                    ecsAction(s, stopTask),
			"UpdateTaskProtection":        ecsAction(s, updateTaskProtection),
			"GetTaskProtection":           ecsAction(s, getTaskProtection),
			"ListServiceDeployments":      ecsAction(s, listServiceDeployments),
			"DescribeServiceDeployments":  ecsAction(s, describeServiceDeployments),
			"DescribeServiceRevisions":    ecsAction(s, describeServiceRevisions),
			"StopServiceDeployment":       ecsAction(s, stopServiceDeployment),
			"ContinueServiceDeployment":   ecsAction(s, continueServiceDeployment),
			"CreateTaskSet":               ecsAction(s, createTaskSet),
			"DescribeTaskSets":            ecsAction(s, describeTaskSets),
			"UpdateTaskSet":               ecsAction(s, updateTaskSet),
			"UpdateServicePrimaryTaskSet": ecsAction(s, updateServicePrimaryTaskSet),
			"DeleteTaskSet":               ecsAction(s, deleteTaskSet),
			"TagResource":                 ecsAction(s, tagECSResource),
			"UntagResource":               ecsAction(s, untagECSResource),
			"ListTagsForResource":         ecsAction(s, listTagsForECSResource),
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

// ecsRegistry is a registry of ECR as ECS needs it. Images are named by a digest,
// a tag or both.
type ecsRegistry interface {
	// Digest returns the digest of an image, "" if there is none.
	Digest(repository, digest, tag string) string
	// Pull is Digest for an image that is about to be pulled. An archived image
	// cannot be pulled.
	Pull(repository, digest, tag string) (found string, archived bool)
	// Manifest returns the manifest of an image, nil if there is none.
	Manifest(repository, digest string) []byte
	// Blob returns a blob of a repository.
	Blob(ctx context.Context, repository, digest string) ([]byte, error)
}

// logWriter is CloudWatch Logs as ECS needs it.
type logWriter interface {
	// Write adds lines to a log stream. It creates the stream and, with
	// createGroup set, the group.
	Write(region, group, stream string, createGroup bool, at time.Time, lines []string) error
}

// ecsOptions are the settings of ECS. All fields are needed.
type ecsOptions struct {
	Account string
	Clock   *awsapi.Clock
	// Registry returns the registry that serves a host's images, nil for none.
	Registry func(host string) ecsRegistry
	Logs     logWriter
	// Speed is how much faster than the clock the time of ECS runs.
	Speed  float64
	Quirks ECSQuirks
}

// ecsRegions are ECS and CodeDeploy of an account in all regions.
type ecsRegions struct {
	mu      sync.Mutex
	options ecsOptions // for regions to come
	all     map[string]*ecs
}

func newECSRegions(o ecsOptions) *ecsRegions {
	return &ecsRegions{options: o, all: map[string]*ecs{}}
}

// at returns the ECS of a region, which is made the first time.
func (s *ecsRegions) at(region string) (*ecs, error) {
	if err := awsapi.CheckRegion(region); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.all[region]; ok {
		return e, nil
	}
	e := newECSRegion(s.options, region)
	s.all[region] = e
	return e, nil
}

// ecs is ECS in one account and region. It has no goroutines: every request
// first lets happen what was due since the last one.
type ecs struct {
	awsapi.AccountRegion
	clock    *awsapi.Clock
	registry func(host string) ecsRegistry
	logs     logWriter

	mu       sync.Mutex
	quirks   ECSQuirks
	timeline timeline
	clusters map[string]*ecsCluster
	families map[string]*taskFamily
	deploys  *codeDeploy
	// onStep are called, with mu held, whenever something may have changed,
	// until none of them changes anything: they report whether they did.
	onStep    []func() bool
	manifests map[string]imageManifest // by digest
	configs   map[string]imageConfig   // of image manifests, by their digests
}

func newECSRegion(o ecsOptions, region string) *ecs {
	e := &ecs{
		AccountRegion: awsapi.AccountRegion{Account: o.Account, Region: region},
		clock:         o.Clock,
		registry:      o.Registry,
		logs:          o.Logs,
		quirks:        o.Quirks,
		timeline:      timeline{speed: o.Speed, anchor: o.Clock.Now()},
		clusters:      map[string]*ecsCluster{},
		families:      map[string]*taskFamily{},
		manifests:     map[string]imageManifest{},
		configs:       map[string]imageConfig{},
	}
	e.deploys = &codeDeploy{ecs: e, applications: map[string]*cdApplication{}}
	e.onStep = []func() bool{e.deploys.step}
	return e
}

// ecsAction returns an action that has the ECS of its region to itself and up to
// date.
func ecsAction[In, Out any](s *ecsRegions, f func(*ecs, In) (Out, error)) awsapi.Action {
	return awsapi.NewAction(func(c awsapi.Call, in In) (out Out, err error) {
		e, err := s.at(c.Region)
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
	return fmt.Sprintf("arn:%s:ecs:%s:%s:%s/%s", awsapi.Partition(e.Region), e.Region, e.Account, kind, strings.Join(parts, "/"))
}

// wall is the server's time, which all timestamps show.
func (e *ecs) wall() time.Time { return e.timeline.wall() }

// Errors that several actions answer.

func clientError(format string, args ...any) *awsapi.Error {
	return awsapi.Errorf("ClientException", format, args...)
}

func parameterError(format string, args ...any) *awsapi.Error {
	return awsapi.Errorf("InvalidParameterException", format, args...)
}
