package ecs

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/rollout/internal/fakeaws"
)

// scaled returns a service with a desired count and, unless empty, its tag.
func scaled(desired int, tag string) Service {
	s := Service{Ref: Ref{"shop", "web"}, ARN: fakeaws.ServiceARN("shop", "web"), Desired: desired}
	s.Raw.Tags = []types.Tag{{Key: aws.String("team"), Value: aws.String("9")}}
	if tag != "" {
		s.Raw.Tags = append(s.Raw.Tags, types.Tag{Key: aws.String(TagDesiredCount), Value: &tag})
	}
	return s
}

// calledText tells the scaling calls in their order.
func calledText(s *fakeaws.Server) string {
	var parts []string
	for _, c := range s.Calls {
		switch c.Action {
		case "UpdateService":
			parts = append(parts, fmt.Sprint("count ", c.In["desiredCount"]))
			if c.In["forceNewDeployment"] == true || c.In["taskDefinition"] != nil {
				s.T.Errorf("scaling deploys: %v", c.In)
			}
		case "TagResource":
			tag := c.In["tags"].([]any)[0].(fakeaws.Object)
			parts = append(parts, fmt.Sprint("tag ", tag["key"], "=", tag["value"]))
		case "UntagResource":
			parts = append(parts, fmt.Sprint("untag ", c.In["tagKeys"]))
		}
		if arn := c.In["resourceArn"]; arn != nil && arn != fakeaws.ServiceARN("shop", "web") {
			s.T.Errorf("%s of %v", c.Action, arn)
		}
	}
	return strings.Join(parts, ", ")
}

var scaling = map[string]func(fakeaws.Object) any{
	"UpdateService": fakeaws.Fixed(fakeaws.Object{"service": fakeaws.Object{}}), "TagResource": fakeaws.Fixed(fakeaws.Object{}), "UntagResource": fakeaws.Fixed(fakeaws.Object{}),
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
			s := fakeaws.Start(t, scaling)
			got, err := ScaleDown(t.Context(), s.ECS(), test.service)
			if err != nil {
				t.Fatal(err)
			}
			test.want.Ref = Ref{"shop", "web"}
			if got != test.want {
				t.Errorf("ScaleDown returned %+v, want %+v", got, test.want)
			}
			if calls := calledText(s); calls != test.calls {
				t.Errorf("calls %q, want %q", calls, test.calls)
			}
		})
	}
}

func TestScaleDownRemembersBeforeItStops(t *testing.T) {
	s := fakeaws.Start(t, map[string]func(fakeaws.Object) any{"TagResource": fakeaws.Fixed(fakeaws.Refusal{Code: "AccessDeniedException"})})
	if _, err := ScaleDown(t.Context(), s.ECS(), scaled(3, "")); !errors.As(err, new(*types.AccessDeniedException)) {
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
			s := fakeaws.Start(t, scaling)
			got, err := ScaleUp(t.Context(), s.ECS(), test.service, test.count)
			if err != nil {
				t.Fatal(err)
			}
			want := Scaled{Ref: Ref{"shop", "web"}, From: test.service.Desired, To: test.to}
			if test.to == 0 {
				want.Remembered = 3 // the tag stays
			}
			if got != want {
				t.Errorf("ScaleUp returned %+v, want %+v", got, want)
			}
			if calls := calledText(s); calls != test.calls {
				t.Errorf("calls %q, want %q", calls, test.calls)
			}
		})
	}
}

func TestScaleUpKeepsTheTagUntilTheCountIsSet(t *testing.T) {
	s := fakeaws.Start(t, map[string]func(fakeaws.Object) any{"UpdateService": fakeaws.Fixed(fakeaws.Refusal{Code: "ServiceNotActiveException"})})
	if _, err := ScaleUp(t.Context(), s.ECS(), scaled(0, "3"), -1); !errors.As(err, new(*types.ServiceNotActiveException)) {
		t.Errorf("error %v", err)
	}
}

func TestScaleUpWithoutACount(t *testing.T) {
	for tag, words := range map[string]string{"": "no tag slipway:desired-count", "many": `the value "many"`, "-1": `the value "-1"`, "0": `the value "0"`} {
		s := fakeaws.Start(t, nil)
		_, err := ScaleUp(t.Context(), s.ECS(), scaled(0, tag), -1)
		var none *CountError
		if !errors.As(err, &none) || !strings.Contains(err.Error(), words) {
			t.Errorf("tag %q: error %v, want a *CountError with %q", tag, err, words)
		}
	}
}

func TestDaemonsAreNotScaled(t *testing.T) {
	s := fakeaws.Start(t, nil)
	service := scaled(3, "2")
	service.Raw.SchedulingStrategy = types.SchedulingStrategyDaemon
	_, down := ScaleDown(t.Context(), s.ECS(), service)
	_, up := ScaleUp(t.Context(), s.ECS(), service, 4)
	for _, err := range []error{down, up} {
		if !errors.As(err, new(*DaemonError)) {
			t.Errorf("error %v, want a *DaemonError", err)
		}
	}
}

func TestAutoscaled(t *testing.T) {
	target := func(id string, more fakeaws.Object) fakeaws.Object {
		o := fakeaws.Object{"ResourceId": id, "MinCapacity": 2, "MaxCapacity": 8, "ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}
		for k, v := range more {
			o[k] = v
		}
		return o
	}
	s := fakeaws.Start(t, map[string]func(fakeaws.Object) any{"DescribeScalableTargets": func(in fakeaws.Object) any {
		if in["NextToken"] == nil {
			return fakeaws.Object{"NextToken": "2", "ScalableTargets": []fakeaws.Object{target("service/shop/web", nil)}}
		}
		return fakeaws.Object{"ScalableTargets": []fakeaws.Object{
			target("service/default/api", fakeaws.Object{"SuspendedState": fakeaws.Object{"DynamicScalingOutSuspended": true, "ScheduledScalingSuspended": true}}),
			target("service/shop/job", fakeaws.Object{"SuspendedState": fakeaws.Object{"DynamicScalingOutSuspended": true}}),
		}}
	}})
	web, api, job, plain := Ref{"shop", "web"}, Ref{"", "api"}, Ref{fakeaws.ClusterARN("shop"), fakeaws.ServiceARN("shop", "job")}, Ref{"shop", "plain"}
	got, err := Autoscaled(t.Context(), s.Autoscaling(), []Ref{web, api, job, plain})
	if err != nil {
		t.Fatal(err)
	}
	want := map[Ref]ScalingLimits{web: {2, 8, false}, api: {2, 8, true}, job: {2, 8, false}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("ranges %v, want %v", got, want)
	}
	s.WantCalls(map[string]int{"DescribeScalableTargets": 2})
	in := s.Of("DescribeScalableTargets")[0].In
	ids := []string{"service/default/api", "service/shop/job", "service/shop/plain", "service/shop/web"}
	if in["ServiceNamespace"] != "ecs" || !slices.Equal(fakeaws.Strings(in, "ResourceIds"), ids) {
		t.Errorf("asked for %v", in)
	}
	if none, err := Autoscaled(t.Context(), s.Autoscaling(), nil); err != nil || len(none) != 0 {
		t.Errorf("of no services: %v, %v", none, err)
	}
}
