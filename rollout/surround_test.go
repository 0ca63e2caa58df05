package rollout

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/internal/awsclient"
	"slipway/internal/testkit"
	"slipway/project"
	"slipway/rollout/ecs"
	"slipway/rollout/task"
	"slipway/rollout/task/diff"
)

// meeting holds back requests until all of some actions have arrived, and refuses them.
type meeting struct {
	mu      sync.Mutex
	ended   <-chan struct{}
	wanted  []string
	arrived []string
	all     chan struct{}
}

func (m *meeting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm() // of CloudFormation's requests alone
	action := r.Form.Get("Action")
	if _, target, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
		action = target
	}
	m.mu.Lock()
	m.arrived = append(m.arrived, action)
	if slices.Sort(m.arrived); slices.Equal(m.arrived, m.wanted) {
		close(m.all)
	}
	m.mu.Unlock()
	select {
	case <-m.all:
	case <-m.ended:
	}
	w.WriteHeader(http.StatusBadRequest)
}

// TestSurroundingsTogether: the stack, the secrets and the ECS services are asked for at
// the same time.
func TestSurroundingsTogether(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	m := &meeting{ended: ctx.Done(), wanted: []string{"DescribeSecret", "DescribeSecret", "DescribeServices", "DescribeStacks"}, all: make(chan struct{})}
	server := httptest.NewServer(m)
	defer server.Close()
	defer cancel()
	ref := ecs.Ref{Cluster: "shop", Service: "shop"}
	place := "arn:aws:secretsmanager:REGION:ACCOUNT:secret:shop/"
	s := &Services{List: []*Service{{ECSService: project.ECSService{Ref: ref}}}, Settings: map[ecs.Ref]task.Definition{ref: {
		Stack: "site", Services: []string{"web"}, Secrets: map[string]map[string]string{"web": {"A": "a", "B": "b"}},
		Input: task.Input{ExecutionRoleARN: "EXECUTION_ROLE_ARN", Containers: []task.Container{{
			Name: "web", Secrets: []task.Secret{{Name: "A", ValueFrom: place + "a-SUFFIX"}, {Name: "B", ValueFrom: place + "b-SUFFIX"}},
		}}},
	}}}
	_, err := s.readWithSurroundings(ctx, &project.Host{}, &awsclient.Clients{Config: testkit.AWSConfig(server.URL)})
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil || ctx.Err() != nil {
		t.Errorf("%v arrived together before %v, want %v", m.arrived, ctx.Err(), m.wanted)
	}
}

// TestRotationNeedsNoAdoption: a new version of a secret replaces no setting of others.
func TestRotationNeedsNoAdoption(t *testing.T) {
	ref := ecs.Ref{Cluster: "shop", Service: "shop"}
	const place = "arn:aws:secretsmanager:us-east-1:000000000000:secret:shop/a-AbCdEf"
	d := task.Definition{Versions: map[string]string{place: "v1"}, Services: []string{"web"}, Input: task.Input{
		ExecutionRoleARN: "arn:execution", TaskRoleARN: "arn:task", CPU: "256", Memory: "512",
		Containers: []task.Container{{Name: "web", Image: "web:1", Essential: true, Secrets: []task.Secret{{Name: "A", ValueFrom: place}}}},
	}}
	written, err := diff.Compare(d, diff.Running{})
	if err != nil {
		t.Fatal(err)
	}
	altered := slices.DeleteFunc(slices.Clone(written.Tags), func(tag any) bool { return tag.(map[string]any)["key"] == diff.SettingsTag })
	running := ecs.Service{Ref: ref, Definition: ecs.Definition{Fields: written.Fields, Tags: altered}}
	s := &Services{Settings: map[ecs.Ref]task.Definition{ref: d}}
	next, err := s.withSettings(&Service{State: running})
	if err != nil || len(next.Settings.Fields) != 0 {
		t.Errorf("the same versions: %+v, %v, want no difference", next.Settings, err)
	}
	d.Versions = map[string]string{place: "v2"}
	s.Settings[ref] = d
	if next, err = s.withSettings(&Service{State: running}); err != nil || !slices.Equal(next.Settings.Fields, []string{"web.secrets.A (new version)"}) {
		t.Errorf("a new version: %+v, %v, want it as the difference", next.Settings, err)
	}
	d.Input.CPU = "512"
	s.Settings[ref] = d
	if _, err = s.withSettings(&Service{State: running}); err == nil {
		t.Error("another size replaces that of others without --adopt")
	}
}
