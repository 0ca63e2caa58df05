package ecs

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// scaled is a service with a desired count and, unless empty, its tag.
func scaled(desired int, tag string) Service {
	s := Service{Ref: Ref{"shop", "web"}, ARN: serviceARN("shop", "web"), Desired: desired}
	s.Raw.Tags = []types.Tag{{Key: aws.String("team"), Value: aws.String("9")}}
	if tag != "" {
		s.Raw.Tags = append(s.Raw.Tags, types.Tag{Key: aws.String(TagDesiredCount), Value: &tag})
	}
	return s
}

// calledText tells the scaling calls in their order.
func calledText(s *script) string {
	var parts []string
	for _, c := range s.calls {
		switch c.action {
		case "UpdateService":
			parts = append(parts, fmt.Sprint("count ", c.in["desiredCount"]))
			if c.in["forceNewDeployment"] == true || c.in["taskDefinition"] != nil {
				s.t.Errorf("scaling deploys: %v", c.in)
			}
		case "TagResource":
			tag := c.in["tags"].([]any)[0].(object)
			parts = append(parts, fmt.Sprint("tag ", tag["key"], "=", tag["value"]))
		case "UntagResource":
			parts = append(parts, fmt.Sprint("untag ", c.in["tagKeys"]))
		}
		if arn := c.in["resourceArn"]; arn != nil && arn != serviceARN("shop", "web") {
			s.t.Errorf("%s of %v", c.action, arn)
		}
	}
	return strings.Join(parts, ", ")
}

var scaling = map[string]func(object) any{
	"UpdateService": fixed(object{"service": object{}}), "TagResource": fixed(object{}), "UntagResource": fixed(object{}),
}

func TestScaleDown(t *testing.T) {
	for _, test := range []struct {
		name    string
		service Service
		want    Scaled
		calls   string
	}{
		{"running", scaled(3, ""), Scaled{From: 3, Remembered: 3}, "tag slipway:desired-count=3, count 0"},
		{"stopped before", scaled(0, "3"), Scaled{Remembered: 3}, ""},
		{"stopped by somebody else", scaled(0, ""), Scaled{}, ""},
		{"killed between the calls", scaled(3, "3"), Scaled{From: 3, Remembered: 3}, "count 0"},
		{"tag spoilt", scaled(3, "many"), Scaled{From: 3, Remembered: 3}, "tag slipway:desired-count=3, count 0"},
		{"raised by autoscaling, not to all", scaled(1, "4"), Scaled{From: 1, Remembered: 4}, "count 0"},
		{"raised since", scaled(5, "3"), Scaled{From: 5, Remembered: 5}, "tag slipway:desired-count=5, count 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startScript(t, scaling)
			got, err := ScaleDown(t.Context(), s.ecs(), test.service)
			if err != nil {
				t.Fatal(err)
			}
			test.want.Ref = Ref{"shop", "web"}
			if got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
			if calls := calledText(s); calls != test.calls {
				t.Errorf("calls %q, want %q", calls, test.calls)
			}
		})
	}
}

func TestScaleDownRemembersBeforeItStops(t *testing.T) {
	s := startScript(t, map[string]func(object) any{"TagResource": fixed(refusal{code: "AccessDeniedException"})})
	if _, err := ScaleDown(t.Context(), s.ecs(), scaled(3, "")); !errors.As(err, new(*types.AccessDeniedException)) {
		t.Errorf("error %v", err)
	}
}

func TestScaleUp(t *testing.T) {
	for _, test := range []struct {
		name    string
		service Service
		count   int
		to      int
		calls   string
	}{
		{"stopped before", scaled(0, "3"), -1, 3, "count 3, untag [slipway:desired-count]"},
		{"stopped before, another count", scaled(0, "3"), 4, 4, "count 4, untag [slipway:desired-count]"},
		{"nothing remembered, a count", scaled(0, ""), 4, 4, "count 4"},
		{"killed between the calls", scaled(3, "3"), -1, 3, "untag [slipway:desired-count]"},
		{"raised by autoscaling, not enough", scaled(1, "3"), -1, 3, "count 3, untag [slipway:desired-count]"},
		{"raised by autoscaling, and more", scaled(5, "3"), -1, 5, "untag [slipway:desired-count]"},
		{"started before", scaled(3, ""), -1, 3, ""},
		{"runs more, a count", scaled(5, ""), 4, 4, "count 4"},
		{"to 0, running", scaled(1, "3"), 0, 0, "count 0"},
		{"to 0, stopped before", scaled(0, "3"), 0, 0, ""},
		{"tag spoilt, a count", scaled(0, "many"), 2, 2, "count 2, untag [slipway:desired-count]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startScript(t, scaling)
			got, err := ScaleUp(t.Context(), s.ecs(), test.service, test.count)
			if err != nil {
				t.Fatal(err)
			}
			want := Scaled{Ref: Ref{"shop", "web"}, From: test.service.Desired, To: test.to}
			if test.to == 0 {
				want.Remembered = 3 // the tag stays
			}
			if got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
			if calls := calledText(s); calls != test.calls {
				t.Errorf("calls %q, want %q", calls, test.calls)
			}
		})
	}
}

func TestScaleUpKeepsTheTagUntilTheCountIsSet(t *testing.T) {
	s := startScript(t, map[string]func(object) any{"UpdateService": fixed(refusal{code: "ServiceNotActiveException"})})
	if _, err := ScaleUp(t.Context(), s.ecs(), scaled(0, "3"), -1); !errors.As(err, new(*types.ServiceNotActiveException)) {
		t.Errorf("error %v", err)
	}
}

func TestScaleUpWithoutACount(t *testing.T) {
	for tag, words := range map[string]string{"": "no tag slipway:desired-count", "many": `says "many"`, "-1": `says "-1"`, "0": `says "0"`} {
		s := startScript(t, nil)
		_, err := ScaleUp(t.Context(), s.ecs(), scaled(0, tag), -1)
		var none *CountError
		if !errors.As(err, &none) || !strings.Contains(err.Error(), words) || !strings.Contains(none.Hint(), "--count") {
			t.Errorf("tag %q: error %v, want a *CountError with %q", tag, err, words)
		}
	}
}

func TestDaemonsAreNotScaled(t *testing.T) {
	s := startScript(t, nil)
	service := scaled(3, "2")
	service.Raw.SchedulingStrategy = types.SchedulingStrategyDaemon
	_, down := ScaleDown(t.Context(), s.ecs(), service)
	_, up := ScaleUp(t.Context(), s.ecs(), service, 4)
	for _, err := range []error{down, up} {
		if !errors.As(err, new(*DaemonError)) {
			t.Errorf("error %v, want a *DaemonError", err)
		}
	}
}

func TestAwaitCounts(t *testing.T) {
	round := 0
	s := startScript(t, map[string]func(object) any{"DescribeServices": func(in object) any {
		round++
		running, pending := min(round, 2), max(0, 3-round)
		return describeFrom(
			describedService("shop", "web", object{"runningCount": running, "pendingCount": pending}),
			describedService("shop", "api", nil),
		)(in)
	}})
	var told []string
	err := AwaitCounts(t.Context(), s.ecs(), []Ref{{"shop", "web"}, {"shop", "api"}}, Pauses{First: time.Millisecond, Max: time.Millisecond}, func(p Progress) {
		told = append(told, p.Service.String()+": "+p.Text)
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"shop/web: 1 of 2 running, 2 pending", "shop/api: 2 of 2 running, 0 pending", "shop/web: 2 of 2 running, 1 pending", "shop/web: 2 of 2 running, 0 pending"}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	s.wantCalls(map[string]int{"DescribeServices": 3})
}

func TestAwaitCountsEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := startScript(t, map[string]func(object) any{"DescribeServices": describeFrom(
		describedService("shop", "web", object{"runningCount": 1}), describedService("shop", "api", nil))})
	err := AwaitCounts(ctx, s.ecs(), []Ref{{"shop", "web"}, {"shop", "api"}}, Pauses{}, func(p Progress) {
		if p.Service.Service == "api" {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "shop/web") || strings.Contains(err.Error(), "shop/api") {
		t.Errorf("error %v", err)
	}
}

func TestAutoscaled(t *testing.T) {
	target := func(id string, more object) object {
		o := object{"ResourceId": id, "MinCapacity": 2, "MaxCapacity": 8, "ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}
		for k, v := range more {
			o[k] = v
		}
		return o
	}
	s := startScript(t, map[string]func(object) any{"DescribeScalableTargets": func(in object) any {
		if in["NextToken"] == nil {
			return object{"NextToken": "2", "ScalableTargets": []object{target("service/shop/web", nil)}}
		}
		return object{"ScalableTargets": []object{
			target("service/default/api", object{"SuspendedState": object{"DynamicScalingOutSuspended": true, "ScheduledScalingSuspended": true}}),
			target("service/shop/job", object{"SuspendedState": object{"DynamicScalingOutSuspended": true}}),
		}}
	}})
	web, api, job, plain := Ref{"shop", "web"}, Ref{"", "api"}, Ref{clusterARN("shop"), serviceARN("shop", "job")}, Ref{"shop", "plain"}
	got, err := Autoscaled(t.Context(), s.autoscaling(), []Ref{web, api, job, plain})
	if err != nil {
		t.Fatal(err)
	}
	want := map[Ref]ScalingLimits{web: {2, 8, false}, api: {2, 8, true}, job: {2, 8, false}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("ranges %v, want %v", got, want)
	}
	s.wantCalls(map[string]int{"DescribeScalableTargets": 2})
	in := s.of("DescribeScalableTargets")[0].in
	ids := []string{"service/default/api", "service/shop/job", "service/shop/plain", "service/shop/web"}
	if in["ServiceNamespace"] != "ecs" || !slices.Equal(list(in, "ResourceIds"), ids) {
		t.Errorf("asked for %v", in)
	}
	if none, err := Autoscaled(t.Context(), s.autoscaling(), nil); err != nil || len(none) != 0 {
		t.Errorf("of no services: %v, %v", none, err)
	}
}
