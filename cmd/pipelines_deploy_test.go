package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// deployAction does what CodePipeline's standard ECS action does: registers the service's
// task definition anew with the images that a definitions file names, updates the service
// with it, and waits until it is stable.
func deployAction(ctx context.Context, f *ecsSandbox, configuration map[string]string, files map[string][]byte) error {
	data, ok := files[configuration["FileName"]]
	if !ok {
		return fmt.Errorf("did not find the image definition file %s in the input artifacts ZIP file", configuration["FileName"])
	}
	var images []struct{ Name, ImageURI string }
	if err := json.Unmarshal(data, &images); err != nil {
		return err
	}
	cluster, service := configuration["ClusterName"], configuration["ServiceName"]
	before, err := f.service(ctx, cluster, service)
	if err != nil {
		return err
	}
	out, err := f.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: before.TaskDefinition})
	if err != nil {
		return err
	}
	def := out.TaskDefinition
	for _, image := range images {
		if !setImage(def.ContainerDefinitions, image.Name, image.ImageURI) {
			return fmt.Errorf("the AWS ECS container %s does not exist", image.Name)
		}
	}
	registered, err := f.ecs.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
		Family: def.Family, ContainerDefinitions: def.ContainerDefinitions, NetworkMode: def.NetworkMode,
		Cpu: def.Cpu, Memory: def.Memory, ExecutionRoleArn: def.ExecutionRoleArn, RequiresCompatibilities: def.RequiresCompatibilities,
	})
	if err != nil {
		return err
	}
	if _, err := f.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: &cluster, Service: &service, TaskDefinition: registered.TaskDefinition.TaskDefinitionArn}); err != nil {
		return err
	}
	return f.stable(ctx, cluster, service)
}

func setImage(containers []types.ContainerDefinition, name, image string) bool {
	for i := range containers {
		if aws.ToString(containers[i].Name) == name {
			containers[i].Image = &image
			return true
		}
	}
	return false
}

func (f *ecsSandbox) service(ctx context.Context, cluster, service string) (types.Service, error) {
	out, err := f.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &cluster, Services: []string{service}})
	if err != nil || len(out.Services) != 1 {
		return types.Service{}, fmt.Errorf("service %s of cluster %s: %v", service, cluster, err)
	}
	return out.Services[0], nil
}

// stable waits for one deployment with as many tasks as are wanted.
func (f *ecsSandbox) stable(ctx context.Context, cluster, service string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		s, err := f.service(ctx, cluster, service)
		if err != nil || len(s.Deployments) == 1 && s.RunningCount == s.DesiredCount {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the service %s is unstable: %w", service, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
