package diagnose

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"slipway/internal/phrase"
	"slipway/internal/shell"
)

// unplaced are the texts of a task that found no room: service events, and the
// reasons of "TaskFailedToStart errors" in the ECS developer guide.
const unplaced = `unable to place a task|RESOURCE:|Capacity is unavailable|no container instance|No Container Instances were found|EMPTY CAPACITY PROVIDER|NO ACTIVE INSTANCES|limit on the number of|network interface|ephemeral ?storage provisioning`

var (
	shortOf      = regexp.MustCompile(`(?i)RESOURCE:[A-Z]+|insufficient [a-z]+[a-z ]*|doesn't have enough [A-Za-z]+[a-z ]*|Capacity is unavailable|No Container Instances|EMPTY CAPACITY PROVIDER|NO ACTIVE INSTANCES|limit on the number of [a-zA-Z]+`)
	unplacedText = regexp.MustCompile("(?i)" + unplaced)
)

// Unplaced reports whether a service event says that ECS found no room for a task.
func Unplaced(event string) bool { return unplacedText.MatchString(event) }

// placeRules find why a task could not be placed.
func placeRules() []rule {
	return []rule{
		{
			words: words(inProvisioning),
			cause: func(s sign) string {
				return s.text + ": check the maximum size of the Auto Scaling group, and whether its instances start and join the cluster"
			},
			next: providersCommand,
		},
		{
			words: words(unplaced),
			cause: placeCause,
			next: func(s sign) string {
				if command := providersCommand(s); command != "" {
					return command
				}
				return "aws ecs describe-clusters" + s.e.clusterFlag("--clusters")
			},
		},
	}
}

func placeCause(s sign) string {
	what := s.find(shortOf)
	if what != "" {
		what = " (" + what + ")"
	}
	own := s.e.OwnProviders()
	switch {
	case len(own) > 0:
		return "there is not enough capacity for the task" + what + ": check the maximum size of the Auto Scaling group behind " + providersText(own) + ", and whether its instances start and join the cluster"
	case len(s.e.Providers) > 0 && !slices.Contains(s.e.Providers, "FARGATE") && strings.Contains(what, "Capacity is unavailable"):
		return "there is not enough capacity for the task" + what + ", and the service's capacity provider strategy has FARGATE_SPOT alone: add FARGATE to it, or wait and deploy again"
	default:
		return "there is not enough capacity for the task" + what + ": check the cluster's instances or capacity providers, the account's quotas and the subnets' free addresses"
	}
}

// OwnProviders returns the service's capacity providers besides those of Fargate.
func (e Evidence) OwnProviders() []string {
	return slices.DeleteFunc(slices.Clone(e.Providers), func(name string) bool { return strings.HasPrefix(name, "FARGATE") })
}

// providersCommand shows the service's own capacity providers; empty for none.
func providersCommand(s sign) string {
	own := s.e.OwnProviders()
	if len(own) == 0 {
		return ""
	}
	command := "aws ecs describe-capacity-providers --capacity-providers"
	for _, name := range own {
		command += " " + shell.Word(name)
	}
	return command
}

func providersText(names []string) string {
	if len(names) == 1 {
		return "capacity provider " + names[0]
	}
	return "the capacity providers " + strings.Join(names, ", ")
}

// inProvisioning is in the text of tasks that wait for managed scaling to start an
// instance ("Amazon ECS cluster auto scaling" in the developer guide).
const inProvisioning = `in PROVISIONING for an instance of`

// waitingText says for which provider tasks wait; empty for none. On Fargate,
// PROVISIONING takes seconds.
func (e Evidence) waitingText() string {
	var names []string
	count := 0
	for _, t := range e.Pending {
		name := aws.ToString(t.CapacityProviderName)
		if aws.ToString(t.LastStatus) == "PROVISIONING" && slices.Contains(e.OwnProviders(), name) {
			names, count = append(names, name), count+1
		}
	}
	if count == 0 {
		return ""
	}
	slices.Sort(names)
	verb := "wait"
	if count == 1 {
		verb = "waits"
	}
	return fmt.Sprintf("%s %s %s %s", phrase.Count(count, "task"), verb, inProvisioning, providersText(slices.Compact(names)))
}
