package compose

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/internal/awsname"
)

// ExtensionKey is the key of Slipway's own settings in a compose file, at the top
// and below a service.
const ExtensionKey = "x-slipway"

// ECS names one ECS service.
type ECS struct {
	Cluster string `json:"cluster"`
	Service string `json:"service"`
}

// Settings are the project's x-slipway.
type Settings struct {
	// ECS is the one service that runs all containers, if there is one.
	ECS ECS
	// Artifact is the s3:// URL that the definitions are uploaded to as a zip.
	Artifact string
	// Cache is engine.cache: auto, registry, s3://BUCKET/PREFIX, inline or none.
	Cache string
	// Compression is engine.compression: gzip or zstd.
	Compression string
	// Reproducible is engine.reproducible: images do not go by the time of the build.
	Reproducible bool
	// Mirrors is engine.mirrors: where images are pulled from, by their registry.
	Mirrors map[string]string
	// Engine is engine.address: where BuildKit listens.
	Engine string
	// MaxAge is build.max-age for the services that have none.
	MaxAge *time.Duration
	// Latest is LatestByBuild, or empty.
	Latest string `json:",omitempty"`
	// Task is nil where the compose file does not own the task definitions.
	Task *Task
}

// ServiceSettings are one service's x-slipway.
type ServiceSettings struct {
	// Repository names the ECR repository: a name, a URI or an ARN.
	Repository string
	// Container is the name in the ECS task definition.
	Container string
	// ECS is the service that runs this container, where each has its own.
	ECS ECS
	// ImageOf is the service whose image the container runs, in one without a build
	// section.
	ImageOf string `json:",omitempty"`
	// Undeployed reports that no container runs the image (deploy: false).
	Undeployed bool `json:",omitempty"`
	// MaxAge is build.max-age: an older image is built again though nothing has
	// changed. It is nil for no such age.
	MaxAge *time.Duration `json:",omitempty"`
	// Local are the keys that do not count on ECS.
	Local Local `json:"-"`
	// Outputs are outputs of the stack, by the environment variable that has the value.
	Outputs map[string]string `json:"-"`
	// Keep are the variables that others add to the container: names, or beginnings of
	// names that end in a *.
	Keep []string `json:"-"`
}

// ReadSettings reads the x-slipway at the top of a project. Unknown keys and
// wrong types are *InputError that name the field.
func ReadSettings(p *types.Project) (Settings, error) {
	r := reader{path: ExtensionKey, value: p.Extensions[ExtensionKey]}
	var s Settings
	m := r.object("ecs", "artifact", "engine", "build", "latest", "task")
	s.ECS = m.ecs("ecs")
	s.MaxAge = m.object("build", "max-age").age("max-age")
	s.Artifact = m.text("artifact")
	if s.Latest = m.text("latest"); s.Latest != "" && s.Latest != LatestByBuild {
		r.fail(r.path+".latest", "write latest: build, or leave it out", "%q is unknown", s.Latest)
	}
	engine := m.object("engine", "cache", "address", "compression", "reproducible", "mirrors")
	s.Cache, s.Engine, s.Compression = engine.text("cache"), engine.text("address"), engine.text("compression")
	s.Reproducible, s.Mirrors = engine.boolean("reproducible", false), engine.texts("mirrors")
	s.Task = m.task()
	return s, r.err
}

// LatestByBuild is the value of x-slipway.latest with which only builds move latest.
const LatestByBuild = "build"

// ReadServiceSettings reads the x-slipway of one service, with errors as in ReadSettings.
func ReadServiceSettings(s types.ServiceConfig) (ServiceSettings, error) {
	r := reader{path: "services." + s.Name + "." + ExtensionKey, value: s.Extensions[ExtensionKey]}
	var out ServiceSettings
	m := r.object("repository", "container", "ecs", "deploy", "build", "image-of", "local", "outputs", "keep")
	out.Repository = m.text("repository")
	out.Undeployed = !m.boolean("deploy", true)
	out.MaxAge = m.object("build", "max-age").age("max-age")
	out.Container = m.name("container", awsname.CheckContainer, "write the container's name in the ECS task definition")
	out.ECS = m.ecs("ecs")
	out.ImageOf = m.text("image-of")
	out.Local, out.Outputs, out.Keep = m.local(), m.outputs(), m.keep()
	for _, key := range []string{"container", "ecs"} {
		if out.Undeployed && m.fields[key] != nil {
			r.fail(r.path+"."+key, "remove it, or remove deploy: false", "has no effect with deploy: false, since no container runs the image")
		}
	}
	return out, r.err
}

// reader walks an untyped YAML value strictly and keeps the first error.
type reader struct {
	path  string
	value any
	err   error
}

type object struct {
	r      *reader
	path   string
	fields map[string]any
}

func (r *reader) fail(path, remedy, format string, args ...any) {
	if r.err == nil {
		r.err = inputError(path, remedy, format, args...)
	}
}

func (r *reader) object(known ...string) object {
	return r.asObject(r.path, r.value, known)
}

func (r *reader) asObject(path string, v any, known []string) object {
	o := object{r: r, path: path, fields: map[string]any{}}
	switch v := v.(type) {
	case nil:
	case map[string]any:
		o.fields = v
	default:
		r.fail(path, "write it as a mapping with the keys "+strings.Join(known, ", "), "want a mapping, have %s", kindOf(v))
	}
	o.refuseUnknown(known)
	return o
}

func (o object) refuseUnknown(known []string) {
	names := make([]string, 0, len(o.fields))
	for k := range o.fields {
		names = append(names, k)
	}
	sort.Strings(names)
	for _, k := range names {
		if !slices.Contains(known, k) {
			o.r.fail(o.path+"."+k, "known keys are "+strings.Join(known, ", "), "unknown key")
		}
	}
}

func (o object) object(key string, known ...string) object {
	return o.r.asObject(o.path+"."+key, o.fields[key], known)
}

func (o object) text(key string) string {
	switch v := o.fields[key].(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		o.r.fail(o.path+"."+key, "write it as a string", "want a string, have %s", kindOf(v))
		return ""
	}
}

// texts reads a mapping of any keys to strings.
func (o object) texts(key string) map[string]string {
	fields, ok := o.fields[key].(map[string]any)
	if o.fields[key] != nil && !ok {
		o.r.fail(o.path+"."+key, "write it as a mapping", "want a mapping, have %s", kindOf(o.fields[key]))
	}
	var out map[string]string
	within := object{r: o.r, path: o.path + "." + key, fields: fields}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if out == nil {
			out = map[string]string{}
		}
		out[name] = within.text(name)
	}
	return out
}

// age is a time in whole days or hours, such as 7d or 12h; nil if the key is not
// there.
func (o object) age(key string) *time.Duration {
	if o.fields[key] == nil {
		return nil
	}
	text := fmt.Sprint(o.fields[key])
	m := ageText.FindStringSubmatch(text)
	if m == nil {
		o.r.fail(o.path+"."+key, "write days or hours, such as 7d or 12h; 0h builds each time", "%q is not an age", text)
		return nil
	}
	n, _ := strconv.Atoi(m[1]) // five digits at most
	unit := map[string]time.Duration{"d": 24 * time.Hour, "h": time.Hour}[m[2]]
	age := time.Duration(n) * unit
	return &age
}

var ageText = regexp.MustCompile(`^([0-9]{1,5})([dh])$`)

// boolean is a boolean, or otherwise if the key is not there.
func (o object) boolean(key string, otherwise bool) bool {
	switch v := o.fields[key].(type) {
	case nil:
		return otherwise
	case bool:
		return v
	default:
		o.r.fail(o.path+"."+key, "write true or false", "want a boolean, have %s", kindOf(v))
		return otherwise
	}
}

func (o object) ecs(key string) ECS {
	e := o.object(key, "cluster", "service")
	return ECS{
		Cluster: e.name("cluster", awsname.CheckCluster, "write the cluster's name or its ARN"),
		Service: e.name("service", awsname.CheckService, "write the ECS service's name or its ARN"),
	}
}

// name is a text that is empty or follows AWS's grammar.
func (o object) name(key string, check func(string) error, remedy string) string {
	s := o.text(key)
	if s == "" {
		return ""
	}
	if err := check(s); err != nil {
		o.r.fail(o.path+"."+key, remedy, "%v", err)
	}
	return s
}

func kindOf(v any) string {
	switch v.(type) {
	case map[string]any:
		return "a mapping"
	case []any:
		return "a list"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case int, int64, uint64, float64:
		return "a number"
	default:
		return fmt.Sprintf("%T", v)
	}
}
