package diagnose

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/plain"
)

// group puts tasks that stopped alike together: those that failed before those
// that ECS stopped by itself, then the largest first, the newest first among
// equals. newest is the newest task of each group.
func (e Evidence) group() (groups []StoppedTaskGroup, newest []types.Task) {
	var all []*grouped
	byKey := map[string]*grouped{}
	for _, t := range e.Stopped {
		reason, containers := withoutIDs(StopReason(t)), ContainerEnds(t)
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
		return cmp.Or(compareBools(stoppedByScaling(a.task), stoppedByScaling(b.task)), b.Count-a.Count, b.Last.Compare(a.Last))
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
	if at := StopTime(t); g.Count == 1 || at.After(g.Last) {
		g.Last, g.Task, g.task = at, aws.ToString(t.TaskArn), t
	}
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// stoppedByScaling reports whether ECS stopped a task because the deployment
// ended: it is not the cause of the end.
func stoppedByScaling(t types.Task) bool {
	return strings.HasPrefix(aws.ToString(t.StoppedReason), "Scaling activity initiated by")
}

// StopReason returns ECS's reason for the stop of a task, or its stop code.
func StopReason(t types.Task) string {
	return strings.TrimRight(plain.Line(cmp.Or(aws.ToString(t.StoppedReason), string(t.StopCode), "no reason given")), ".")
}

// ContainerEnds returns how each container of a task ended, such as "web exited
// with 1". A reason that is the task's own is not repeated, and a container
// without a reason is left out.
func ContainerEnds(t types.Task) []string {
	var ends []string
	for _, c := range t.Containers {
		name, reason := aws.ToString(c.Name), strings.TrimRight(plain.Line(withoutIDs(aws.ToString(c.Reason))), ".")
		if strings.Contains(withoutIDs(StopReason(t)), reason) {
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

// withoutIDs replaces what differs from task to task, so that equal reasons
// meet.
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

// StopTime returns when a task stopped, or the nearest time before that is
// known.
func StopTime(t types.Task) time.Time {
	for _, at := range []*time.Time{t.StoppedAt, t.ExecutionStoppedAt, t.StoppingAt, t.CreatedAt} {
		if at != nil {
			return *at
		}
	}
	return time.Time{}
}
