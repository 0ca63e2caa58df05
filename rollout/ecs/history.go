package ecs

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"reflect"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsclient"
)

// Successful reads a service's latest deployments that ECS calls SUCCESSFUL, at
// most limit of them, newest first, with their task definitions and the digests
// of their images where ECS still knows them. ECS keeps them for 90 days. It takes one call for each 100
// deployments and one for each 20 different revisions.
func Successful(ctx context.Context, client deploymentReader, ref Ref, limit int) ([]ServiceDeployment, error) {
	in := &ecs.ListServiceDeploymentsInput{
		Cluster: optional(ref.cluster()), Service: &ref.Service, MaxResults: aws.Int32(int32(min(max(limit, 1), 100))),
		Status: []types.ServiceDeploymentStatus{types.ServiceDeploymentStatusSuccessful},
	}
	var briefs []types.ServiceDeploymentBrief
	err := awsclient.EachPage("ECS ListServiceDeployments", func(token *string) (*string, error) {
		if len(briefs) >= limit {
			return nil, nil
		}
		in.NextToken = token
		out, err := client.ListServiceDeployments(ctx, in)
		if err == nil {
			err = awsclient.CheckList("ECS", "ListServiceDeployments", "deployments", out.ServiceDeployments)
		}
		if err != nil {
			return nil, err
		}
		briefs = append(briefs, out.ServiceDeployments...)
		return out.NextToken, nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the deployments of ECS service %s: %w", ref, err)
	}
	all := serviceDeployments(briefs)
	all, err = WithRevisions(ctx, client, all[:min(len(all), max(limit, 0))])
	if err != nil {
		return nil, fmt.Errorf("reading the deployments of ECS service %s: %w", ref, err)
	}
	return all, nil
}

// History is the images that a service is to run, now and before.
type History struct {
	Ref Ref
	// Present are the present digests by container: those that the service
	// runs, or those of its newest deployment if that has not ended or did not
	// succeed. An unknown digest is empty, as when the image is missing or ECS
	// resolves none, and differs from all that are known. Other containers are
	// not compared.
	Present map[string]string
	// Successful are the deployments that were SUCCESSFUL, newest first.
	Successful []ServiceDeployment
}

// HistoryOf joins a service with its successful deployments, for those of the
// containers named that it has; for all of them when none is named.
func HistoryOf(s Service, successful []ServiceDeployment, containers ...string) History {
	h := History{Ref: s.Ref, Present: map[string]string{}, Successful: successful}
	for _, c := range s.Containers {
		if len(containers) > 0 && !slices.Contains(containers, c.Name) {
			continue
		}
		if len(s.Deployments) > 0 && s.Deployments[0].Status != types.ServiceDeploymentStatusSuccessful {
			h.Present[c.Name] = s.Deployments[0].Digests[c.Name]
			continue
		}
		// The revision's digest comes first: tasks may report that of an
		// index's platform, which no revision names.
		h.Present[c.Name] = cmp.Or(c.Resolved, mostRun(c.Running))
	}
	return h
}

// Previous goes back through the successful deployments of all services by
// their time, newest first. After each step it yields the images that all
// services together ran then: digests by container, for each service. Every
// container of Present is in it; the digest is empty where ECS resolved none
// (versionConsistency disabled), so that such a state is only a part of the
// running images. A state that equals the present one as far as it is known, or
// the state before, is left out, and so is a state in which no digest of some
// service is known. It ends where the history of a service ends, and yields
// nothing if a service has no history.
//
// For one service this is first the last successful deployment whose images
// differ from the present ones.
func Previous(histories []History) iter.Seq[map[Ref]map[string]string] {
	return func(yield func(map[Ref]map[string]string) bool) {
		at := make([]int, len(histories))
		var last map[Ref]map[string]string
		for ok := allKnown(histories); ok; ok = stepBack(histories, at) {
			state := stateAt(histories, at)
			if state == nil || !differs(histories, state) || reflect.DeepEqual(state, last) {
				continue
			}
			if !yield(state) {
				return
			}
			last = state
		}
	}
}

func allKnown(histories []History) bool {
	return len(histories) > 0 && !slices.ContainsFunc(histories, func(h History) bool { return len(h.Successful) == 0 })
}

// stepBack undoes the newest of the deployments in force; false where nothing
// came before it.
func stepBack(histories []History, at []int) bool {
	newest := 0
	for i, h := range histories {
		if h.Successful[at[i]].Created.After(histories[newest].Successful[at[newest]].Created) {
			newest = i
		}
	}
	at[newest]++
	return at[newest] < len(histories[newest].Successful)
}

// stateAt returns what the services ran with the deployments in force; nil if
// that is not known of one.
func stateAt(histories []History, at []int) map[Ref]map[string]string {
	state := map[Ref]map[string]string{}
	for i, h := range histories {
		digests := map[string]string{}
		known := false
		for container := range h.Present {
			digests[container] = h.Successful[at[i]].Digests[container]
			known = known || digests[container] != ""
		}
		if !known && len(digests) > 0 {
			return nil
		}
		state[h.Ref] = digests
	}
	return state
}

func differs(histories []History, state map[Ref]map[string]string) bool {
	for _, h := range histories {
		for container, digest := range state[h.Ref] {
			if digest != "" && digest != h.Present[container] {
				return true
			}
		}
	}
	return false
}
