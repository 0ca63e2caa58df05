package ecs

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Differences says, by container and digest, how many tasks run other images
// than desired; empty for none. resolved has the digests for tasks that do not
// report theirs.
func (d Deployment) Differences(tasks []types.Task, resolved map[string]string) string {
	counts := map[string]int{}
	for _, t := range tasks {
		for name, want := range d.Wants {
			if digest, there := digestOf(t, name, resolved); !there {
				counts["there is no container "+name]++
			} else if !want.Has(digest) {
				counts[name+" runs "+shownDigest(digest)+" instead of "+want.DigestOrImage()]++
			}
		}
	}
	var told []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		told = append(told, fmt.Sprintf("%s in %d of %s", what, counts[what], TaskCount(len(tasks))))
	}
	return strings.Join(told, "; ")
}

// digestOf returns the digest that a task runs for a container: its own word,
// else the service revision's, else the one in its image reference. It is not
// there where the task has no such container.
func digestOf(t types.Task, name string, resolved map[string]string) (digest string, there bool) {
	for _, c := range t.Containers {
		if aws.ToString(c.Name) != name {
			continue
		}
		if digest := aws.ToString(c.ImageDigest); digest != "" {
			return digest, true
		}
		if resolved[name] != "" {
			return resolved[name], true
		}
		_, digest, _ := strings.Cut(aws.ToString(c.Image), "@")
		return digest, true
	}
	return "", false
}

// DigestOrImage returns the image's own digest, or its reference where that is
// not known.
func (w DesiredImage) DigestOrImage() string {
	if len(w.Digests) == 0 {
		return w.Image
	}
	return w.Digests[0]
}

func shownDigest(digest string) string {
	if digest == "" {
		return "an image with an unknown digest"
	}
	return digest
}

// TaskCount returns a number of tasks in words: "1 task", "2 tasks".
func TaskCount(n int) string {
	if n == 1 {
		return "1 task"
	}
	return fmt.Sprintf("%d tasks", n)
}
