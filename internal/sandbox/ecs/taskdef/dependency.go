package taskdef

import "slices"

// dependency is a ContainerDependency of the API reference.
type dependency struct {
	Container string `json:"containerName"`
	Condition string `json:"condition"`
}

// checkDependencies checks that the containers of a task can start.
func (r request) checkDependencies(Settings) error {
	byName := map[string]container{}
	for _, c := range r.Containers {
		byName[c.Name] = c
	}
	for _, c := range r.Containers {
		for _, d := range c.DependsOn {
			target, found := byName[d.Container]
			if !found {
				return c.invalid("It depends on container '%s', which is not in the task definition.", d.Container)
			}
			if err := d.check(c, target); err != nil {
				return err
			}
		}
	}
	if slices.ContainsFunc(r.Containers, func(c container) bool { return reaches(byName, c.Name, c.Name, map[string]bool{}) }) {
		return clientError("A cycle of container dependencies was found in the task definition.")
	}
	return nil
}

func (d dependency) check(c, target container) error {
	switch d.Condition {
	case "START":
	case "HEALTHY":
		if target.Check == nil {
			return c.invalid("It depends on container '%s' to be HEALTHY, which has no health check.", d.Container)
		}
	case "SUCCESS", "COMPLETE":
		if target.IsEssential() {
			return clientError("A dependency container with SUCCESS or COMPLETE condition cannot be an essential container")
		}
	default:
		return c.invalid("Unknown condition '%s' of a container dependency.", d.Condition)
	}
	return nil
}

// reaches reports whether a container depends on another one, itself or through others.
func reaches(all map[string]container, from, to string, seen map[string]bool) bool {
	if seen[from] {
		return false
	}
	seen[from] = true
	for _, d := range all[from].DependsOn {
		if d.Container == to || reaches(all, d.Container, to, seen) {
			return true
		}
	}
	return false
}
