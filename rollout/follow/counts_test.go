package follow

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/rollout/ecs"
	"slipway/rollout/internal/fakeaws"
)

func TestAwaitCounts(t *testing.T) {
	round := 0
	s := fakeaws.Start(t, map[string]func(fakeaws.Object) any{"DescribeServices": func(in fakeaws.Object) any {
		round++
		running, pending := min(round, 2), max(0, 3-round)
		return fakeaws.AnswerServices(
			fakeaws.DescribedService("shop", "web", fakeaws.Object{"runningCount": running, "pendingCount": pending}),
			fakeaws.DescribedService("shop", "api", nil),
		)(in)
	}})
	var reported []string
	err := AwaitCounts(t.Context(), s.ECS(), []ecs.Ref{{Cluster: "shop", Service: "web"}, {Cluster: "shop", Service: "api"}}, Pauses{First: time.Millisecond, Max: time.Millisecond}, func(p Progress) {
		reported = append(reported, p.Service.String()+": "+p.Text)
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"shop/web: 1 of 2 running, 2 pending", "shop/api: 2 of 2 running, 0 pending", "shop/web: 2 of 2 running, 1 pending", "shop/web: 2 of 2 running, 0 pending"}
	if !slices.Equal(reported, want) {
		t.Errorf("reported %q, want %q", reported, want)
	}
	s.WantCalls(map[string]int{"DescribeServices": 3})
}

func TestAwaitCountsEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := fakeaws.Start(t, map[string]func(fakeaws.Object) any{"DescribeServices": fakeaws.AnswerServices(
		fakeaws.DescribedService("shop", "web", fakeaws.Object{"runningCount": 1}), fakeaws.DescribedService("shop", "api", nil))})
	err := AwaitCounts(ctx, s.ECS(), []ecs.Ref{{Cluster: "shop", Service: "web"}, {Cluster: "shop", Service: "api"}}, Pauses{}, func(p Progress) {
		if p.Service.Service == "api" {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "shop/web") || strings.Contains(err.Error(), "shop/api") {
		t.Errorf("error %v", err)
	}
}
