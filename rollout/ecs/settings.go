package ecs

import "slices"

// Settings are a task definition that has the settings to deploy, and in which the images
// are those that run.
type Settings struct {
	// Definition is the task definition. Its ARN is that of the running one.
	Definition Definition
	// Earlier reports that Definition is an earlier one of the service, with its
	// own ARN and images, to which the service returns as a whole.
	Earlier bool
	// Others are containers that keep their running images then.
	Others []string
	// Fields are the names of the fields that differ from the running definition; none if
	// at most the tags do.
	Fields []string
}

// With returns the service as it is to be with the settings: with the containers that
// they have, of which new ones run nothing.
func (s Service) With(settings Settings) Service {
	s.Settings = &settings
	names := settings.Definition.containerNames()
	s.Containers = slices.DeleteFunc(slices.Clone(s.Containers), func(c Container) bool { return !slices.Contains(names, c.Name) })
	for _, c := range settings.Definition.containers() {
		name := stringField(c, "name")
		if !slices.ContainsFunc(s.Containers, func(have Container) bool { return have.Name == name }) {
			s.Containers = append(s.Containers, Container{Name: name, Image: stringField(c, "image")})
		}
	}
	return s
}

// next returns the definition to change: the one with the settings to deploy, else the
// running one.
func (s Service) next() Definition {
	if s.Settings != nil {
		return s.Settings.Definition
	}
	return s.Definition
}

// changesSettings reports whether settings are to be deployed that do not run.
func (s Service) changesSettings() bool {
	return s.returns() || s.Settings != nil && len(s.Settings.Fields) > 0
}

// returns reports whether the service returns to an earlier task definition.
func (s Service) returns() bool { return s.Settings != nil && s.Settings.Earlier }

// Earlier returns the task definition to which the service returns, if it does.
func (s Service) Earlier() (Definition, bool) {
	if !s.returns() {
		return Definition{}, false
	}
	return s.Settings.Definition, true
}

// reference returns the image reference of a container in the definition to
// change.
func (s Service) reference(c Container) string {
	if s.returns() {
		return s.Settings.Definition.image(c.Name)
	}
	return c.Image
}
