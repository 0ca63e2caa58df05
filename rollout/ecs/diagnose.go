package ecs

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Evidence is what there is to tell why a deployment failed.
type Evidence struct {
	// Service is the service that was deployed, for its names, its task definition and
	// its load balancers.
	Service Service
	// Stopped are the deployment's stopped tasks, in any order.
	Stopped []types.Task
	// Events are the service's events since the deployment began, the oldest first.
	Events []string
	// Reason is ECS's own word for the end.
	Reason string
	// Log and LogOf go into the Diagnosis as they are; Log is looked through for causes
	// that only a program's own words tell.
	Log   []string
	LogOf string

	// tail is the command that shows more of Log.
	tail string
}

// Diagnose groups the stopped tasks and names the likely cause and the next command. It
// asks nobody. The cause comes from the first group that tells one, else from the newest
// event that does, else from ECS's reason; Cause stays empty where none is known.
func Diagnose(e Evidence) Diagnosis {
	groups, newest := e.group()
	d := Diagnosis{Groups: groups, Log: e.Log, LogOf: e.LogOf, Next: e.statusCommand()}
	for _, s := range e.signs(newest) {
		if r := ruleFor(s); r != nil {
			d.Cause = r.cause(s)
			if r.next != nil {
				d.Next = cmp.Or(r.next(s), d.Next)
			}
			return d
		}
	}
	return d
}

// signs are what a cause may be read from, the most telling first.
func (e Evidence) signs(newest []types.Task) []sign {
	var signs []sign
	if alarms.MatchString(e.Reason) {
		// Alarms end a deployment whose tasks are well; the tasks' reasons mislead then.
		signs = append(signs, sign{e: e, text: e.Reason})
	}
	for _, t := range newest {
		if !expected(t) {
			signs = append(signs, e.signOf(t))
		}
	}
	for _, event := range slices.Backward(e.Events) {
		signs = append(signs, sign{e: e, text: event})
	}
	return append(signs, sign{e: e, text: e.Reason})
}

// signOf is what a task tells, with the log where it is of a container that ran.
func (e Evidence) signOf(t types.Task) sign {
	s := sign{e: e, task: &t, text: stopReason(t)}
	if c := e.culprit(t); c != nil {
		s.container, s.exit = aws.ToString(c.Name), c.ExitCode
		s.image = aws.ToString(c.Image)
		if c.ImageDigest != nil && !strings.Contains(s.image, "@") {
			s.image += "@" + *c.ImageDigest
		}
		if c.ExitCode != nil {
			s.log = strings.Join(e.Log, "\n")
		}
	}
	for _, c := range t.Containers {
		s.text += "\n" + aws.ToString(c.Reason)
	}
	return s
}

// group puts tasks that stopped alike together: those that failed before those that ECS
// stopped by itself, then the largest first, the newest first among equals. newest is the
// newest task of each group.
func (e Evidence) group() (groups []StoppedTaskGroup, newest []types.Task) {
	var all []*grouped
	byKey := map[string]*grouped{}
	for _, t := range e.Stopped {
		reason, containers := withoutIDs(stopReason(t)), containerEnds(t)
		key := string(t.StopCode) + "\n" + reason + "\n" + strings.Join(containers, "\n")
		g := byKey[key]
		if g == nil {
			g = &grouped{StoppedTaskGroup: StoppedTaskGroup{Reason: reason, Containers: containers}}
			byKey[key] = g
			all = append(all, g)
		}
		g.add(t)
	}
	slices.SortStableFunc(all, func(a, b *grouped) int {
		return cmp.Or(order(expected(a.task), expected(b.task)), b.Count-a.Count, b.Last.Compare(a.Last))
	})
	for _, g := range all {
		groups, newest = append(groups, g.StoppedTaskGroup), append(newest, g.task)
	}
	return groups, newest
}

type grouped struct {
	StoppedTaskGroup
	task types.Task
}

func (g *grouped) add(t types.Task) {
	g.Count++
	if at := stopTime(t); g.Count == 1 || at.After(g.Last) {
		g.Last, g.Task, g.task = at, aws.ToString(t.TaskArn), t
	}
}

func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// expected tells tasks that ECS stopped because the deployment ended from those that made
// it end.
func expected(t types.Task) bool {
	return strings.HasPrefix(aws.ToString(t.StoppedReason), "Scaling activity initiated by")
}

// stopReason is ECS's reason, its code where there are no words.
func stopReason(t types.Task) string {
	return strings.TrimRight(oneLine(cmp.Or(aws.ToString(t.StoppedReason), string(t.StopCode), "no reason given")), ".")
}

// containerEnds say how each container ended. A reason that is the task's own is not
// repeated, nor is a container named that has nothing to tell.
func containerEnds(t types.Task) []string {
	var ends []string
	for _, c := range t.Containers {
		name, reason := aws.ToString(c.Name), strings.TrimRight(oneLine(withoutIDs(aws.ToString(c.Reason))), ".")
		if strings.Contains(withoutIDs(stopReason(t)), reason) {
			reason = ""
		}
		switch {
		case c.ExitCode != nil && reason != "":
			ends = append(ends, fmt.Sprintf("%s exited with %d (%s)", name, *c.ExitCode, reason))
		case c.ExitCode != nil:
			ends = append(ends, fmt.Sprintf("%s exited with %d", name, *c.ExitCode))
		case reason != "":
			ends = append(ends, name+": "+reason)
		}
	}
	return ends
}

// culprit is the container that most likely made the task stop: one that ECS gives a
// reason for, else an essential one that exited by itself, else one that was killed or
// stopped with the task.
func (e Evidence) culprit(t types.Task) *types.Container {
	essential := map[string]bool{}
	for _, c := range e.Service.Definition.containers() {
		flag, given := c["essential"].(bool)
		essential[text(c, "name")] = flag || !given
	}
	var best *types.Container
	most := -1
	for i, c := range t.Containers {
		matters, known := essential[aws.ToString(c.Name)]
		if points := blame(c, matters || !known); points > most {
			best, most = &t.Containers[i], points
		}
	}
	return best
}

func blame(c types.Container, essential bool) int {
	points := 0
	switch {
	case strings.Contains(aws.ToString(c.Reason), "Error"):
		points = 8
	case c.HealthStatus == types.HealthStatusUnhealthy:
		points = 6
	case c.ExitCode == nil:
	case *c.ExitCode == 137 || *c.ExitCode == 143:
		// SIGKILL and SIGTERM: how the others go when one made the task stop.
		points = 2
	case *c.ExitCode != 0:
		points = 6
	default:
		points = 4
	}
	if essential {
		points++
	}
	return points
}

// ids are the parts of a reason that differ from task to task.
var ids = regexp.MustCompile(strings.Join([]string{
	`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`, // requests, instances
	`\b[0-9a-f]{64}\b`, `\b[0-9a-f]{32}\b`, // digests, tasks
	`\becs-svc/[0-9]+`,
	`\b(?:i|eni|subnet)-[0-9a-f]{8,17}\b`,
	`\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]+)?\b`,      // addresses and their ports
	`(?:mount|GetImageBlob)[0-9]{4,}`,                    // temporary files
	`\b[0-9]+ time\(s\)`,                                 // retries
	`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,}(?:Z|\+\d+)?`, // times
}, "|"))

// withoutIDs replaces what differs from task to task, so that equal reasons meet.
func withoutIDs(reason string) string {
	return ids.ReplaceAllStringFunc(reason, func(id string) string {
		switch {
		case strings.HasSuffix(id, "time(s)"):
			return "… times"
		case strings.HasPrefix(id, "mount"):
			return "mount…"
		case strings.HasPrefix(id, "GetImageBlob"):
			return "GetImageBlob…"
		default:
			return "…"
		}
	})
}
