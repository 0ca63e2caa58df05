package ecs

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Settings that differ are registered even if the images run; equal ones change nothing.
func TestDecideWithSettings(t *testing.T) {
	running, _ := readDefinition(t)
	next, _ := readDefinition(t)
	list, _ := next.Fields["containerDefinitions"].([]any)
	next.Fields["containerDefinitions"] = append(list[1:], map[string]any{"name": "new", "image": "shop/new:1"})
	s := Service{Definition: running, Controller: types.DeploymentControllerTypeEcs}
	for _, name := range running.containerNames() {
		s.Containers = append(s.Containers, Container{Name: name, Image: "shop/" + name + ":1", Resolved: "sha256:1", Running: map[string]int{"sha256:1": 1}})
	}
	wants := map[string]DesiredImage{"api": {Image: "shop/api:1", Digests: []string{"sha256:1"}}}
	for _, x := range []struct {
		settings Settings
		want     Action
	}{
		{Settings{Definition: running}, Leave},
		{Settings{Definition: next, Fields: []string{"container new"}}, Register},
	} {
		c, err := Decide(s.With(x.settings), wants, true)
		if err != nil || c.Action != x.want {
			t.Errorf("with %v: %s, %v, want %s", x.settings.Fields, c.Action, err, x.want)
		}
	}
	wants["new"] = DesiredImage{Image: "shop/new:2", Digests: []string{"sha256:2"}}
	c, err := Decide(s.With(Settings{Definition: next, Fields: []string{"container new"}}), wants, true)
	if err != nil || c.Images["new"] != "shop/new:2" || len(c.Service.Containers) != 3 {
		t.Errorf("images %v, containers %v, %v", c.Images, c.Service.Containers, err)
	}
	if _, err := Decide(s, wants, true); err == nil {
		t.Error("without settings, a container that is not there was accepted")
	}
}
