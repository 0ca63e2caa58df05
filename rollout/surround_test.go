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
