package compose_test

import (
	"reflect"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/project/compose"
)

func TestTaskSettings(t *testing.T) {
	const services = "\nservices: {a: {image: example.org/a}}\n"
	for text, want := range map[string]*compose.Task{
		"{}":         nil,
		"{task: }":   {},
		"{task: {}}": {},
		"{task: {stack: shop, entry: web, cpu: 512, before: [migrate, seed]}}": {
			Stack: "shop", Entry: []string{"web"}, CPU: 512, Before: []string{"migrate", "seed"}},
		"{task: {stack: 'arn:aws:cloudformation:eu-west-1:123456789012:stack/shop/0a1b', entry: [web, api]}}": {
			Stack: "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop/0a1b", Entry: []string{"web", "api"}},
	} {
		got, err := compose.ReadSettings(extension(t, "x-slipway: "+text+services))
		if err != nil || !reflect.DeepEqual(got.Task, want) {
			t.Errorf("%s: got %+v, %v, want %+v", text, got.Task, err, want)
		}
	}
}

func TestRuntimeSettings(t *testing.T) {
	read := func(text string) (compose.ServiceSettings, error) {
		p := extension(t, "services: {a: {image: example.org/a, x-slipway: "+text+"}}\n")
		return compose.ReadServiceSettings(p.Services["a"])
	}
	for text, want := range map[string]compose.ServiceSettings{
		"{local: true}":           {Local: compose.Local{All: true}},
		"{local: false}":          {},
		"{local: [volumes, dns]}": {Local: compose.Local{Keys: []string{"volumes", "dns"}}},
		"{keep: DD_*}":            {Keep: []string{"DD_*"}},
		"{outputs: {TABLE: PostsTable}, keep: [A, B_*]}": {Outputs: map[string]string{"TABLE": "PostsTable"}, Keep: []string{"A", "B_*"}},
	} {
		if got, err := read(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v, want %+v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"{local: yes please}":         "services.a.x-slipway.local: want a boolean or a list of keys, have a string",
		"{local: []}":                 "services.a.x-slipway.local: want a boolean or a list of keys, have a list",
		"{local: [volume]}":           `services.a.x-slipway.local: "volume" is not a key of a service`,
		"{local: [name]}":             `services.a.x-slipway.local: "name" is not a key of a service`,
		"{keep: ['*']}":               `services.a.x-slipway.keep: "*" is not the name of a variable`,
		"{keep: ['A*B']}":             `services.a.x-slipway.keep: "A*B" is not the name of a variable`,
		"{outputs: [A]}":              "services.a.x-slipway.outputs: want a mapping, have a list",
		"{outputs: {A: 1}}":           "services.a.x-slipway.outputs.A: want a string, have a number",
		"{outputs: {A: posts-table}}": `services.a.x-slipway.outputs.A: "posts-table" is not the name of an output`,
	} {
		_, err := read(text)
		wantInputError(t, err, want)
	}
}

func TestVolumeSettings(t *testing.T) {
	read := func(text string) (compose.EFS, error) {
		return compose.ReadVolumeSettings("data", types.VolumeConfig{
			Extensions: extension(t, "services: {a: {image: example.org/a}}\nvolumes: {data: "+text+"}\n").Volumes["data"].Extensions})
	}
	for text, want := range map[string]compose.EFS{
		"{}":                                 {},
		"{x-slipway: {efs: fs-0123}}":        {FileSystem: "fs-0123"},
		"{x-slipway: {efs: fs-0123/fsap-9}}": {FileSystem: "fs-0123", AccessPoint: "fsap-9"},
	} {
		if got, err := read(text); err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"{x-slipway: {efs: vol-1}}":           `volumes.data.x-slipway.efs: "vol-1" is not a file system of EFS`,
		"{x-slipway: {efs: fs-0123/fs-0123}}": `volumes.data.x-slipway.efs: "fs-0123/fs-0123" is not a file system of EFS`,
		"{x-slipway: {ebs: vol-1}}":           "volumes.data.x-slipway.ebs: unknown key",
	} {
		_, err := read(text)
		wantInputError(t, err, want)
	}
}
