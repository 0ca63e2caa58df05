package compose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/cli/pkg/kvfile"

	"slipway/internal/allow"
	"slipway/internal/awsname"
	"slipway/internal/fault"
)

// docker compose has the format raw, in which a value is taken as it is; compose-go
// lets its user add it.
func init() {
	dotenv.RegisterFormat("raw", func(r io.Reader, path string, vars map[string]string, lookup func(string) (string, bool)) error {
		lines, err := kvfile.ParseFromReader(r, lookup)
		if err != nil { // it quotes the file
			return fmt.Errorf("failed to read %s: a line is not NAME=VALUE", path)
		}
		for _, line := range lines {
			name, value, _ := strings.Cut(line, "=")
			vars[name] = value
		}
		return nil
	})
}

// Deployed returns the project as it runs on ECS: without the services and the keys
// that x-slipway.local keeps for docker compose, and with the variables and labels of
// env_file and label_file. wanted takes the files that lie outside the project; nil
// lets them be read. Errors are *fault.InputError. p is not changed.
func Deployed(ctx context.Context, p *types.Project, wanted *allow.Wanted) (*types.Project, error) {
	out, err := withoutLocal(p)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(out.Services)) {
		if err := checkRuntimeFiles(ctx, out.Services[name], wanted); err != nil {
			return nil, err
		}
	}
	resolved, err := out.WithServicesEnvironmentResolved(false)
	if err == nil {
		resolved, err = resolved.WithServicesLabelsResolved(false)
	}
	if err != nil {
		err = unquoted(err)
		return nil, &fault.InputError{Where: fileField(out, err), Err: err, Remedy: optionsRemedy(err)}
	}
	return resolved, nil
}

// fileField returns the field that names the file of an error.
func fileField(p *types.Project, err error) string {
	for _, name := range slices.Sorted(maps.Keys(p.Services)) {
		s := p.Services[name]
		named := func(f types.EnvFile) bool {
			return strings.Contains(err.Error(), f.Path) || f.Format != "" && strings.Contains(err.Error(), "format "+strconv.Quote(f.Format))
		}
		if slices.ContainsFunc(s.EnvFiles, named) {
			return "services." + name + ".env_file"
		}
		if slices.ContainsFunc(s.LabelFiles, func(path string) bool { return strings.Contains(err.Error(), path) }) {
			return "services." + name + ".label_file"
		}
	}
	return "services"
}

// withoutLocal leaves out what is for docker compose only.
func withoutLocal(p *types.Project) (*types.Project, error) {
	out := *p
	out.Services = types.Services{}
	local := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(p.Services)) {
		s := p.Services[name]
		settings, err := ReadServiceSettings(s)
		if err != nil {
			return nil, err
		}
		if settings.Local.All {
			local[name] = true
			continue
		}
		for _, key := range settings.Local.Keys {
			field := reflect.ValueOf(&s).Elem().FieldByIndex(serviceField(key))
			field.SetZero()
		}
		out.Services[name] = s
	}
	for name, s := range out.Services {
		s.DependsOn = maps.Clone(s.DependsOn)
		maps.DeleteFunc(s.DependsOn, func(on string, _ types.ServiceDependency) bool { return local[on] })
		out.Services[name] = s
	}
	return &out, nil
}

// ServiceFields returns the fields of types.ServiceConfig, as reflect.Value.FieldByIndex
// takes them, by their keys in a compose file.
var ServiceFields = sync.OnceValue(func() map[string][]int {
	out := map[string][]int{}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[types.ServiceConfig]()) {
		if key, _, _ := strings.Cut(field.Tag.Get("yaml"), ","); key != "" && key[0] != '#' && key != "-" {
			out[key] = field.Index
		}
	}
	delete(out, "name")
	return out
})

// serviceField returns the field of a service that has a key, nil if none has it.
func serviceField(key string) []int { return ServiceFields()[key] }

// checkRuntimeFiles refuses the files of env_file and label_file that compose-go may
// not read, or would refuse without the name of the service.
func checkRuntimeFiles(ctx context.Context, s types.ServiceConfig, wanted *allow.Wanted) error {
	check := func(key, path string, required bool) error {
		where := "services." + s.Name + "." + key
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && !required {
			return nil
		} else if err != nil {
			return &fault.InputError{Where: where, Err: err, Remedy: "create the file or correct the path"}
		}
		if !wanted.Read(path, where) {
			return outsideError(where, path)
		}
		if err := checkEnvFile(path); err != nil {
			return err
		}
		return ctx.Err()
	}
	for _, f := range s.EnvFiles {
		if err := check("env_file", f.Path, bool(f.Required)); err != nil {
			return err
		}
	}
	for _, path := range s.LabelFiles {
		if err := check("label_file", path, true); err != nil {
			return err
		}
	}
	return nil
}

// ContainerOf returns the name of a service's container in the task definition:
// x-slipway.container, container_name, or the name of the service. The error is an
// *fault.InputError for a name that ECS refuses.
func ContainerOf(s types.ServiceConfig, settings ServiceSettings) (string, error) {
	where, name := "services."+s.Name, s.Name
	switch {
	case settings.Container != "":
		return settings.Container, nil // ReadServiceSettings has checked it
	case s.ContainerName != "":
		where, name = where+".container_name", s.ContainerName
	}
	if err := awsname.CheckContainer(name); err != nil {
		return name, inputError(where, "write the name in the ECS task definition into x-slipway.container", "%v", err)
	}
	return name, nil
}
