package ecs

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/fault"
)

// Action is the kind of change that a service needs to run the desired images.
type Action string

// The actions.
const (
	// Leave: it already runs them, or none of them is for it.
	Leave Action = "leave"
	// Force: a new deployment of the present task definition, which makes ECS
	// resolve the tags again ("Container image resolution" in the ECS developer
	// guide).
	Force Action = "force"
	// Register: a new revision of the task definition, and a deployment of it.
	Register Action = "register"
	// Return: a deployment of an earlier revision of the task definition.
	Return Action = "return"
)

// Change is the change to one service that Decide has found. Nothing has been
// done yet.
type Change struct {
	// Service is the service as it was read.
	Service Service
	Action  Action
	// Why is the reason in one sentence, without a period.
	Why string
	// Images are the image references of the new task definition revision, by
	// container. It has only those that change.
	Images map[string]string
	// Wants are the images that the tasks must run in the end: those of the
	// desired images that are for the service.
	Wants map[string]DesiredImage
	// Lines are the changes of the containers in Wants, and of others that change
	// with the task definition, in the order of the task definition.
	Lines []ImageChange
	// Notes are sentences about desired images that the service does not get.
	Notes []string
	// Replaces is the deployment under way that the new one will replace; nil
	// for none, for Leave, and with CodeDeploy, which refuses a second one.
	Replaces *ServiceDeployment
}

// ImageChange is the change of one container.
type ImageChange struct {
	Container string
	// From and To are the references in the task definition before and after.
	From, To string
	// FromDigest is the digest that most tasks run, or that new tasks get where
	// none runs. ToDigest is the desired one. They are empty where not known.
	FromDigest, ToDigest string
}

// String returns a line like "web: shop/web:latest (sha256:aaaa…) →
// shop/web:latest (sha256:bbbb…)", digests cut to 12 digits.
func (l ImageChange) String() string {
	if l.From == "" {
		return l.Container + ": " + withDigest(l.To, l.ToDigest)
	}
	return fmt.Sprintf("%s: %s → %s", l.Container, withDigest(l.From, l.FromDigest), withDigest(l.To, l.ToDigest))
}

// Decide returns the change that makes the containers of a service run the
// desired images, which are given by container name. Other containers stay as
// they are. Decide is pure.
//
// Without exact, as for a rollback, references keep their style. A container
// with the tag latest or no tag is only deployed again, since the tag was
// moved. One with another tag or a digest gets DesiredImage.Image in the same
// style. A desired image for a container that does not exist, or that runs an
// image of another repository, becomes a note.
//
// With exact, as for a definitions file, every container gets
// DesiredImage.Image as it is written. A desired image for a container that
// does not exist is an error.
//
// Errors: *ControllerError for a service that ECS or CodeDeploy does not
// deploy, *ContainerError for a container that does not exist (exact).
func Decide(s Service, wants map[string]DesiredImage, exact bool) (Change, error) {
	c := Change{Service: s, Action: Leave}
	switch s.Controller {
	case types.DeploymentControllerTypeEcs, types.DeploymentControllerTypeCodeDeploy:
	default:
		return c, &ControllerError{Ref: s.Ref, Controller: s.Controller}
	}
	if missing := s.next().without(sortedKeys(wants)); len(missing) > 0 {
		if exact {
			return c, &ContainerError{Definition: s.Definition.Name(), Missing: missing, Have: s.next().containerNames()}
		}
		c.note("its task definition has no container %s", strings.Join(missing, ", "))
	}
	after := c.setImages(wants, exact)
	c.noteLeaving()
	c.describe(after)
	switch {
	case s.New != nil:
		c.Action, c.Why = Create, "it does not exist, and will be created"
	case s.changesSettings():
		c.chooseAction()
	case len(c.Wants) == 0:
		c.Why = "it has no container with one of the images"
	case c.alreadyRuns(exact):
		c.Images, c.Why = nil, "it already runs the desired images"
	default:
		c.chooseAction()
	}
	return c, nil
}

// setImages sets Wants and Images and returns the reference that each
// container of Wants will have.
func (c *Change) setImages(wants map[string]DesiredImage, exact bool) map[string]string {
	c.Wants, c.Images = map[string]DesiredImage{}, map[string]string{}
	after := map[string]string{}
	for _, container := range c.Service.Containers {
		w, ok := wants[container.Name]
		if !ok {
			c.setOther(container)
			continue
		}
		image, present := w.Image, c.Service.reference(container)
		if !exact {
			styled, same := restyle(present, w)
			switch {
			case same:
				image = styled
			case !c.Service.returns():
				c.note("container %s runs %s, an image of another repository, and stays unchanged", container.Name, container.Image)
				continue
			}
		}
		c.Wants[container.Name], after[container.Name] = w, image
		if image != present {
			c.Images[container.Name] = image
		}
	}
	return after
}

// noteLeaving names the containers that an earlier task definition lacks.
func (c *Change) noteLeaving() {
	if !c.Service.returns() {
		return
	}
	for _, name := range c.Service.Definition.containerNames() {
		if !c.Service.Settings.Definition.Has(name) {
			c.note("container %s leaves the service: task definition %s does not have it", name, c.Service.Settings.Definition.Name())
		}
	}
}

// setOther keeps the running image of a container of others where the service
// returns to an earlier task definition.
func (c *Change) setOther(container Container) {
	if c.Service.returns() && slices.Contains(c.Service.Settings.Others, container.Name) && container.Image != c.Service.reference(container) {
		c.Images[container.Name] = container.Image
	}
}

func (c *Change) describe(after map[string]string) {
	for _, container := range c.Service.Containers {
		w, ok := c.Wants[container.Name]
		if !ok {
			if to := c.Service.reference(container); to != container.Image && c.Images[container.Name] == "" {
				c.Lines = append(c.Lines, ImageChange{Container: container.Name, From: container.Image, To: to})
			}
			continue
		}
		line := ImageChange{Container: container.Name, From: container.Image, FromDigest: container.Digest(), To: after[container.Name]}
		if c.Service.New != nil {
			line.From = ""
		}
		if len(w.Digests) > 0 {
			line.ToDigest = w.Digests[0]
		}
		c.Lines = append(c.Lines, line)
	}
}

// chooseAction decides between the ways of deploying.
func (c *Change) chooseAction() {
	if c.Service.Controller == types.DeploymentControllerTypeEcs {
		c.Replaces = c.Service.UnderWay()
	}
	switch next := c.Service.next(); {
	case c.Service.returns() && len(c.Images) == 0 && next.active():
		c.Action = Return
		c.Why = "back to task definition " + next.Name()
	case c.Service.returns() && c.Service.Definition.active() && next.equal(c.Service.Definition, c.Images):
		// An equal revision was registered before, as by a command that was killed.
		c.Action, c.Images = Force, nil
		c.Why = "back to the settings of task definition " + next.Name() + ", which its task definition has"
	case c.Service.returns():
		c.Action = Register
		c.Why = fmt.Sprintf("back to the settings of task definition %s, which needs a new revision: %s", next.Name(), c.whyNew(next))
	case c.Service.changesSettings():
		c.Action = Register
		c.Why = "its settings change, which needs a new task definition revision"
	case len(c.Images) > 0:
		c.Action = Register
		c.Why = fmt.Sprintf("container %s gets a new image reference, which needs a new task definition revision", strings.Join(sortedKeys(c.Images), ", "))
	case !next.active():
		c.Action = Register
		c.Why = fmt.Sprintf("its task definition is %s, so an equal revision is registered", next.status())
	default:
		c.Action, c.Images = Force, nil
		c.Why = "its task definition already has the desired references, and a new deployment resolves them again"
	}
}

// whyNew says why an earlier task definition cannot be deployed as it is.
func (c *Change) whyNew(earlier Definition) string {
	if !earlier.active() {
		return "it is " + earlier.status()
	}
	return fmt.Sprintf("container %s gets a new image reference", strings.Join(sortedKeys(c.Images), ", "))
}

// alreadyRuns reports whether the service runs all desired images and continues
// to. An image whose digest is not known counts by its reference.
func (c *Change) alreadyRuns(exact bool) bool {
	if c.Service.Stalled() || c.Service.deploysOtherImages(c.Wants) || len(c.toVerify()) == 0 {
		return false
	}
	for _, container := range c.Service.Containers {
		w, ok := c.Wants[container.Name]
		if !ok {
			continue
		}
		if !w.hasDigests() {
			if container.Image != w.Image {
				return false
			}
			continue
		}
		settled := c.Service.Settling(container) && w.Has(container.Resolved)
		if !settled && !container.runsOnly(w, c.Service.Desired) || exact && !sameRepository(container.Image, w.Image) {
			return false
		}
	}
	return true
}

func (c *Change) note(format string, args ...any) {
	c.Notes = append(c.Notes, fmt.Sprintf(format, args...))
}

// deploysOtherImages reports whether a deployment is under way that, as far as
// is known, does not end with the desired images.
func (s Service) deploysOtherImages(wants map[string]DesiredImage) bool {
	if s.Controller != types.DeploymentControllerTypeEcs {
		// With CodeDeploy there is a second task set for as long as a
		// deployment lasts, but for its first seconds, which nothing in ECS
		// shows.
		return slices.ContainsFunc(s.Raw.TaskSets, func(t types.TaskSet) bool { return t.Status != nil && *t.Status == "ACTIVE" })
	}
	p := s.UnderWay()
	if p == nil {
		return false
	}
	if !advances(p.Status) {
		return true
	}
	for name, w := range wants {
		if w.hasDigests() && !w.Has(p.Digests[name]) {
			return true
		}
	}
	return false
}

// toVerify returns the desired images whose digests are known.
func (c Change) toVerify() map[string]DesiredImage {
	out := maps.Clone(c.Wants)
	maps.DeleteFunc(out, func(_ string, w DesiredImage) bool { return !w.hasDigests() })
	return out
}

// runsOnly reports whether all tasks run the image and new tasks get it.
func (c Container) runsOnly(w DesiredImage, desired int) bool {
	if c.Resolved != "" && !w.Has(c.Resolved) {
		return false
	}
	for digest := range c.Running {
		if !w.Has(digest) {
			return false
		}
	}
	return len(c.Running) > 0 || desired == 0 && c.Resolved != ""
}

// Digest returns the digest that most tasks run, else the one that new tasks
// get.
func (c Container) Digest() string {
	if d := mostRun(c.Running); d != "" {
		return d
	}
	return c.Resolved
}

// ControllerError is the error for a service that neither ECS nor CodeDeploy
// deploys: its controller is EXTERNAL or unknown.
type ControllerError struct {
	Ref
	Controller types.DeploymentControllerType
}

// Error names the service and its controller.
func (e *ControllerError) Error() string {
	return fmt.Sprintf("ECS service %s has the deployment controller %s: only that controller can deploy it", e.Ref, e.Controller)
}

// Kind returns fault.Usage.
func (e *ControllerError) Kind() fault.Kind { return fault.Usage }

// Hint names the tool that can deploy the service.
func (e *ControllerError) Hint() string {
	return "deploy it with the tool that creates its task sets, or recreate the service with the controller ECS: the controller of a service cannot be changed"
}
