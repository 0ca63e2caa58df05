// Package sandbox is a stand-in for the part of AWS that Slipway uses, on one
// listener: ECR with a real OCI registry, ECS with deployments that take time,
// CodeDeploy, S3, CloudWatch Logs, Application Auto Scaling, CodePipeline,
// EventBridge and its Scheduler, stacks of CloudFormation, Secrets Manager, the
// Parameter Store, IAM and STS. It serves the program slipway-sandbox and tests; no
// other package of
// Slipway may import it.
//
// Each service is a package of its own. This package starts them, routes requests,
// records them, makes them fail on demand, and has the control plane.
package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"slipway/internal/sandbox/autoscaling"
	"slipway/internal/sandbox/awsapi"
	"slipway/internal/sandbox/cloudformation"
	"slipway/internal/sandbox/codepipeline"
	"slipway/internal/sandbox/ecr"
	"slipway/internal/sandbox/ecs"
	"slipway/internal/sandbox/ecs/codedeploy"
	"slipway/internal/sandbox/ecs/serviceconfig"
	"slipway/internal/sandbox/elb"
	"slipway/internal/sandbox/eventbridge"
	"slipway/internal/sandbox/iam"
	"slipway/internal/sandbox/logs"
	"slipway/internal/sandbox/s3"
	"slipway/internal/sandbox/scheduler"
	"slipway/internal/sandbox/secretsmanager"
	"slipway/internal/sandbox/ssm"
)

// Options are the settings of a Server. The zero value is a server on a free
// loopback port for account 000000000000 in us-east-1.
type Options struct {
	// Addr is the host:port to listen on; "127.0.0.1:0" if empty.
	Addr string
	// PublicAddr is the host:port that proxyEndpoint and repositoryUri name
	// instead of the listener's own, for a proxy that stands in between. It
	// holds for the default account and region only.
	PublicAddr string
	// Account is the twelve-digit account whose registry the main listener
	// serves; "000000000000" if empty.
	Account string
	// Region goes with Account; "us-east-1" if empty.
	Region string
	// Dir is the directory in which a directory for blobs is made and, at
	// Close, removed. The system's temporary directory if empty.
	Dir string
	// TokenLifetime is the lifetime of an authorization token; 12 hours, as
	// with ECR, if zero.
	TokenLifetime time.Duration
	// ECSSpeed is how much faster than the server's clock the time of ECS runs:
	// with 20, a task that takes ten seconds to start takes half a second. 1 if
	// zero.
	ECSSpeed float64
	// ECS chooses behaviours that the documentation of ECS leaves open.
	ECS ECSQuirks
	// Run has tasks run the processes of their images. Where they cannot run,
	// Server.NotRunning returns the reason and containers are played.
	Run bool
	// Runc is the path of runc, with which tasks run. If empty, it is looked for next
	// to this program, in .tools/bin, next to buildkitd and in PATH.
	Runc string
	// HostNetwork has tasks that run share the network of this host: they reach
	// what it reaches, and two of them cannot listen on the same port. Otherwise
	// each has a network of its own, without a way out.
	HostNetwork bool
	// Opened is called when connections to an address of this host reach a port of
	// a service whose tasks run. It may be nil.
	Opened func(TaskPort)
}

// ECSQuirks are behaviours of ECS that its documentation leaves open.
type ECSQuirks = ecs.Quirks

// ErrOption is wrapped by the error of Start for an invalid option.
var ErrOption = errors.New("bad option")

func (o Options) withDefaults() (Options, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.Account == "" {
		o.Account = "000000000000"
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.TokenLifetime == 0 {
		o.TokenLifetime = 12 * time.Hour
	}
	if o.ECSSpeed == 0 {
		o.ECSSpeed = 1
	}
	return o, o.check()
}

func (o Options) check() error {
	if o.TokenLifetime < 0 {
		return fmt.Errorf("%w: token lifetime %s: must be positive", ErrOption, o.TokenLifetime)
	}
	if err := checkSpeed(o.ECSSpeed); err != nil {
		return err
	}
	if !awsapi.ValidAccount(o.Account) {
		return fmt.Errorf("%w: account %q: must be twelve digits", ErrOption, o.Account)
	}
	if !awsapi.ValidRegion(o.Region) {
		return fmt.Errorf("%w: region %q: must be of lower-case letters, digits and hyphens", ErrOption, o.Region)
	}
	if err := checkAddr(o.Addr); err != nil {
		return fmt.Errorf("%w: address %q: %w", ErrOption, o.Addr, err)
	}
	if o.PublicAddr == "" {
		return nil
	}
	if err := checkAddr(o.PublicAddr); err != nil {
		return fmt.Errorf("%w: public address %q: %w", ErrOption, o.PublicAddr, err)
	}
	return nil
}

func checkAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("must be host:port, such as 127.0.0.1:4566: %w", err)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("port %q must be a number up to 65535", port)
	}
	return nil
}

// Server is a running sandbox. All its methods may be called from several
// goroutines at once.
type Server struct {
	options Options
	dir     string
	addr    string
	clock   *awsapi.Clock
	calls   *recorder
	faults  *faults

	ecr        *ecr.Registries
	ecs        *ecs.Regions
	logs       *logs.Groups
	s3         *s3.Store
	iam        *iam.Permissions
	pipelines  *codepipeline.Pipelines
	schedules  *scheduler.Schedules
	stacks     *cloudformation.Stacks
	groups     *elb.Groups
	secrets    *secretsmanager.Secrets
	endpoints  *serviceconfig.Endpoints
	parameters *ssm.Parameters
	json       []awsapi.Service
	tasks      *running // nil if containers are played
	notRunning error

	mu      sync.Mutex
	closed  bool
	servers []*http.Server

	serving  sync.RWMutex // read-locked by every request
	closing  sync.Once
	closeErr error
}

// Start listens and returns once requests are served. The context bounds the
// start alone; call Close to end the server. The error wraps ErrOption for an
// invalid option, or else names the address or directory that cannot be used.
func Start(ctx context.Context, o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("listening on %q: %w", o.Addr, err)
	}
	dir, err := makeDir(o.Dir)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s := &Server{options: o, dir: dir, addr: reachable(listener.Addr()), clock: &awsapi.Clock{}, calls: &recorder{}}
	s.faults = newFaults(s.clock)
	s.startServices()
	s.serve(listener, s.ecr.Default())
	s.tasks.follow(s.ecs)
	return s, nil
}

func (s *Server) startServices() {
	o := s.options
	s.ecr = ecr.New(ecr.Options{
		Account: o.Account, Region: o.Region, Host: cmp.Or(o.PublicAddr, s.addr), Addr: s.addr,
		Dir: s.dir, Clock: s.clock, TokenLifetime: o.TokenLifetime, Listen: s.listen,
	})
	s.logs = logs.New(o.Account, s.clock)
	s.secrets, s.parameters = secretsmanager.New(o.Account, s.clock), ssm.New(o.Account, s.clock)
	s.startRunning()
	s.ecs = ecs.New(ecs.Options{
		Account: o.Account, Clock: s.clock, Registry: s.registryServing, Logs: s.logs, Speed: o.ECSSpeed, Quirks: o.ECS,
		Runner: s.tasks.runnerOrNil(),
	})
	s.s3 = s3.New(s.clock)
	s.iam = iam.New(o.Account, o.Region)
	s.stacks, s.groups = cloudformation.New(o.Account, s.clock, s.iam, s.createResource), elb.New(s.iam)
	s.pipelines = codepipeline.New(o.Account, s.clock, s.s3)
	s.schedules = scheduler.New(o.Account, s.clock)
	s.endpoints = serviceconfig.NewEndpoints(s.groups)
	s.json = []awsapi.Service{
		s.ecr.Service(), serviceconfig.Checked(s.ecs.Service(), s.endpoints), s.logs.Service(), autoscaling.New(o.Account, s.clock).Service(),
		codedeploy.New(s.ecs).Service(), s.pipelines.Service(), eventbridge.New(o.Account).Service(), s.schedules.Service(),
		s.secrets.Service(), s.parameters.Service(),
	}
}

// registryServing returns the registry that serves a host, nil if none does.
func (s *Server) registryServing(host string) ecs.Registry {
	if g := s.ecr.Serving(host); g != nil {
		return g
	}
	return nil
}

// listen opens a listener for another registry than the default one.
func (s *Server) listen(open func(host string) *ecr.Registry) (*ecr.Registry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errors.New("the sandbox is closed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := open(l.Addr().String())
	s.serve(l, g)
	return g, nil
}

func makeDir(parent string) (string, error) {
	if parent != "" {
		if err := os.MkdirAll(parent, 0o755); err != nil {
			return "", fmt.Errorf("directory for blobs: %w", err)
		}
	}
	dir, err := os.MkdirTemp(parent, "slipway-sandbox-")
	if err != nil {
		return "", fmt.Errorf("directory for blobs: %w", err)
	}
	return dir, nil
}

// reachable returns an address at which clients on this host reach the
// listener.
func reachable(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", fmt.Sprint(tcp.Port))
	}
	return a.String()
}

// serve serves requests to a listener, those of the registry API with a
// registry. The caller holds mu or has not published the server yet.
func (s *Server) serve(l net.Listener, g *ecr.Registry) {
	srv := &http.Server{
		Handler:           s.handler(g),
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	s.servers = append(s.servers, srv)
	go func() { _ = srv.Serve(l) }() // ends with ErrServerClosed at Close
}

// URL returns the endpoint of every service: http://host:port.
func (s *Server) URL() string { return "http://" + s.addr }

// Env returns the KEY=value lines with which the AWS SDKs and the AWS CLI use
// this server. Any credentials work.
func (s *Server) Env() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + s.URL(),
		"AWS_ACCESS_KEY_ID=sandbox",
		"AWS_SECRET_ACCESS_KEY=sandbox",
		"AWS_REGION=" + s.options.Region,
		"AWS_DEFAULT_REGION=" + s.options.Region,
		"AWS_EC2_METADATA_DISABLED=true",
	}
}

// Advance moves the server's clock and then applies every lifecycle policy. The
// ages of images, the lifetimes of tokens, S3's dates and ECS all follow that
// clock. ECS's events in between happen first, while no image has expired. A
// negative duration moves the clock back, during which ECS does nothing.
func (s *Server) Advance(d time.Duration) {
	s.clock.Advance(d)
	s.ecs.CatchUp()
	s.ecr.ApplyPolicies()
}

// Close stops serving, closes the connections of requests under way and removes
// the blobs. It may be called more than once.
func (s *Server) Close() error {
	s.closing.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

func (s *Server) close() error {
	s.mu.Lock()
	s.closed = true
	servers := s.servers
	s.mu.Unlock()

	var errs []error
	for _, srv := range servers {
		errs = append(errs, srv.Close())
	}
	// With their connections gone, requests under way end soon; one that still
	// writes would leave files behind.
	s.serving.Lock()
	defer s.serving.Unlock()
	return errors.Join(append(errs, s.tasks.close(), s.ecr.Close(), os.RemoveAll(s.dir))...)
}
