package display

import (
	"bytes"
	"strings"
	"testing"

	"slipway/rollout/ecs"
	"slipway/rollout/follow"
)

// TestDeployments prints progress in lines for people, and commands to type whole
// and without the text that people have read already. Otherwise all is logged.
func TestDeployments(t *testing.T) {
	web := ecs.Ref{Service: "web"}
	long := strings.Repeat("x", 2*maxLine)
	commands := Commands{
		Continue: func(ref ecs.Ref) string { return "continue " + ref.String() + " " + long },
		Abort:    func(ref ecs.Ref) string { return "abort " + ref.String() },
	}
	for _, c := range []struct {
		lines bool
		want  string
	}{
		{true, "web    | 1/2 running, 1 pending\nweb    | to go on, type: continue web " + long + "\nweb    | to go back, type: abort web\naside\n"},
		{false, "web counts: 1/2 running, 1 pending\nweb paused: waits REDACTED\nweb paused: to go on, type: continue web " + long + "\nweb paused: to go back, type: abort web\naside\n"},
	} {
		var out bytes.Buffer
		s := testScreen(&out, "hush-hush")
		s.Lines = c.lines
		d := s.Deployments([]ecs.Ref{web, {Service: "worker"}}, commands)
		d.Report(follow.Progress{Service: web, Kind: follow.Counts, Running: 1, Desired: 2, Pending: 1})
		d.Report(follow.Progress{Service: web, Kind: follow.Paused, Text: "waits hush-hush"})
		d.Aside(func() { out.WriteString("aside\n") })
		d.Close()
		if out.String() != c.want {
			t.Errorf("with lines %v, it printed\n%s\nwant\n%s", c.lines, &out, c.want)
		}
	}
}
