package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"
)

const (
	// fleetSize is how many ECS services are rolled back at once.
	fleetSize = 30
	// Budgets of calls before the wait.
	repositoryCalls = 4
	serviceWrites   = 2
)

// rollback takes one ECS service, and then many, back to a revision and forth again, as
// far as the wait: what an operator waits for before ECS does its part.
func (b *bench) rollback(ctx context.Context) ([]row, error) {
	one, err := b.openFleet(ctx, "lone", 1)
	if err != nil {
		return nil, err
	}
	all, err := b.openFleet(ctx, "fleet", fleetSize)
	if err != nil {
		return nil, err
	}
	var alone, together []time.Duration
	most := calls{}
	for round := range b.runs*shortRuns + 1 {
		revision := []string{"one", "two"}[round%2]
		wallOne, _, err := b.rollBack(ctx, one, revision)
		if err != nil {
			return nil, err
		}
		wallAll, made, err := b.rollBack(ctx, all, revision)
		if err != nil {
			return nil, err
		}
		if round > 0 { // the first one reads the program from the disk and gives the services their tags
			alone, together = append(alone, wallOne), append(together, wallAll)
			most = most.most(made)
		}
	}
	what := fmt.Sprintf("rollback of %d ECS services, before the wait", fleetSize)
	return []row{
		ratioRow(what, median(together), "of one service", median(alone), 0),
		countRow(what+": calls for each repository", most.repository, repositoryCalls),
		countRow(what+": writes for each service", most.service, serviceWrites),
	}, nil
}

// countRow holds a number against the most allowed.
func countRow(what string, n, most int) row {
	return row{what: what, slipway: fmt.Sprint(n), budget: fmt.Sprintf("≤ %d", most), verdict: judge(n <= most)}
}

// openFleet makes a project of so many ECS services, each with a repository of two
// revisions, and returns its directory.
func (b *bench) openFleet(ctx context.Context, project string, size int) (string, error) {
	dir := filepath.Join(b.dir, project)
	compose := "name: " + project + "\nservices:\n"
	same := b.stand.ecr.Options()
	client := ecs.New(ecs.Options{Region: same.Region, Credentials: same.Credentials, BaseEndpoint: same.BaseEndpoint, APIOptions: same.APIOptions})
	if _, err := client.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: &project}); err != nil {
		return "", err
	}
	var names []string
	for i := range size {
		names = append(names, fmt.Sprintf("s%d", i))
		compose += fmt.Sprintf("  s%d: {build: ., x-slipway: {ecs: {cluster: %s, service: s%[1]d}}}\n", i, project)
	}
	if err := b.stand.createRepositories(ctx, project, names); err != nil {
		return "", err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, service := range names {
		g.Go(func() error { return b.openService(gctx, client, project, service) })
	}
	if err := g.Wait(); err != nil {
		return "", err
	}
	return dir, errors.Join(os.Mkdir(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "compose.yaml"), []byte(compose), 0o644),
		os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\n"), 0o644))
}

// openService pushes two revisions and makes the service that runs the second one.
func (b *bench) openService(ctx context.Context, client *ecs.Client, project, service string) error {
	repository := b.stand.host + "/" + project + "/" + service
	for _, revision := range []string{"one", "two"} {
		image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{Architecture: "amd64", OS: "linux", Config: v1.Config{Labels: map[string]string{"revision": revision}}})
		if err != nil {
			return err
		}
		for _, tag := range []string{revision, "latest"} {
			ref, err := name.ParseReference(repository+":"+tag, name.Insecure)
			if err != nil {
				return err
			}
			login := authn.FromConfig(authn.AuthConfig{Username: b.stand.login.Username, Password: b.stand.login.Password})
			if err := remote.Write(ref, image, remote.WithContext(ctx), remote.WithAuth(login)); err != nil {
				return err
			}
		}
	}
	def, err := client.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
		Family: aws.String(project + "-" + service), NetworkMode: types.NetworkModeAwsvpc, Cpu: aws.String("256"), Memory: aws.String("512"),
		ExecutionRoleArn:        aws.String("arn:aws:iam::000000000000:role/execution"),
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate},
		ContainerDefinitions:    []types.ContainerDefinition{{Name: &service, Image: aws.String(repository + ":latest")}},
	})
	if err != nil {
		return err
	}
	_, err = client.CreateService(ctx, &ecs.CreateServiceInput{
		Cluster: &project, ServiceName: &service, TaskDefinition: def.TaskDefinition.TaskDefinitionArn, DesiredCount: aws.Int32(1), LaunchType: types.LaunchTypeFargate,
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"subnet-1"}}},
	})
	return err
}

// rollBack measures one rollback up to the wait, and counts its calls. ECS has come to
// rest before it and comes to rest after it, and the tags of the services are on the
// images that run, as after a rollback that was waited for.
func (b *bench) rollBack(ctx context.Context, dir, revision string) (time.Duration, calls, error) {
	if err := b.stand.control(ctx, http.MethodPost, "clock?advance=30m", nil); err != nil {
		return 0, calls{}, err
	}
	look := exec.CommandContext(ctx, b.slipwayBin, "status")
	look.Dir, look.Env = dir, b.stand.environ()
	if err := quietly(look); err != nil {
		return 0, calls{}, err
	}
	if err := b.stand.control(ctx, http.MethodDelete, "calls", nil); err != nil {
		return 0, calls{}, err
	}
	cmd := exec.CommandContext(ctx, b.slipwayBin, "rollback", revision, "--no-wait")
	cmd.Dir, cmd.Env = dir, b.stand.environ()
	start := time.Now()
	if err := quietly(cmd); err != nil {
		return 0, calls{}, err
	}
	wall := time.Since(start)
	var made []call
	err := b.stand.control(ctx, http.MethodGet, "calls", &made)
	b.say("slipway rollback %s in %s took %s", revision, filepath.Base(dir), seconds(wall))
	return wall, count(made), err
}

// call is a request as the sandbox recorded it.
type call struct{ Service, Action, Repository, Reference string }

// calls are the most that were made for one repository, and the most writes for one ECS
// service.
type calls struct{ repository, service int }

func (c calls) most(o calls) calls {
	return calls{max(c.repository, o.repository), max(c.service, o.service)}
}

func count(made []call) calls {
	repositories, services := map[string]int{}, map[string]int{}
	for _, c := range made {
		switch {
		case (c.Service == "ecr" || c.Service == "registry") && c.Repository != "":
			repositories[c.Repository]++
		case c.Action == "UpdateService" || c.Action == "RegisterTaskDefinition":
			services[c.Reference]++
		}
	}
	var out calls
	for _, n := range repositories {
		out.repository = max(out.repository, n)
	}
	for _, n := range services {
		out.service = max(out.service, n)
	}
	return out
}

// control asks the sandbox's control plane, and reads its answer if into is not nil.
func (s *stand) control(ctx context.Context, method, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, aws.ToString(s.ecr.Options().BaseEndpoint)+"/_sandbox/"+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("the sandbox's control plane: %s %s: %s", method, strings.SplitN(path, "?", 2)[0], resp.Status)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(into)
}
