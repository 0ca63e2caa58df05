package task

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// secretsDir is the directory in which docker compose mounts secrets.
const secretsDir = "/run/secrets/"

const secretsRemedy = "read the secret from an environment variable: on ECS it has the name of the secret"

// environment carries the variables that have a value, and the outputs of the stack.
func (t *translator) environment() error {
	values := map[string]string{}
	for name, value := range t.Environment {
		if value != nil {
			values[name] = *value
		}
	}
	for name, output := range t.settings.Outputs {
		values[name] = "OUTPUT_" + strings.ToUpper(output)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if strings.Contains(values[name], secretsDir) {
			return t.refuse("environment."+name, secretsRemedy, "names a file below %s, which ECS does not mount", secretsDir)
		}
		t.out.Environment = append(t.out.Environment, Variable{name, values[name]})
	}
	return nil
}

// parameterName is the name of a parameter of the Parameter Store (PutParameter in the
// Systems Manager API reference).
var parameterName = regexp.MustCompile(`^[a-zA-Z0-9_./-]+$`)

// secretARN is the full ARN of a secret, with a JSON key, a version stage and a version
// id if they are given, or of a parameter ("Pass sensitive data to an Amazon ECS
// container" in the ECS developer guide).
var secretARN = regexp.MustCompile(`^arn:[a-z-]+:(secretsmanager:[a-z0-9-]+:\d{12}:secret:[^:\s]+(:[^:\s]*:[^:\s]*:[^:\s]*)?|ssm:[a-z0-9-]+:\d{12}:parameter/[^\s:]+)$`)

// secrets carries secrets as variables.
func (t *translator) secrets() error {
	for _, s := range t.Secrets {
		key := "secrets." + s.Source
		name := strings.TrimPrefix(s.Target, secretsDir)
		if name == "" {
			name = s.Source
		}
		switch {
		case strings.Contains(name, "/"):
			return t.refuse(key, secretsRemedy, "its target %q is a file, and ECS mounts none", s.Target)
		case s.UID != "" || s.GID != "" || s.Mode != nil:
			return t.refuse(key, "remove uid, gid and mode", "is a variable on ECS, which has no owner and no mode")
		case slices.ContainsFunc(t.out.Environment, func(v Variable) bool { return v.Name == name }):
			return t.refuse(key, "remove one of the two", "the variable %s is in environment, too", name)
		case slices.ContainsFunc(t.out.Secrets, func(v Secret) bool { return v.Name == name }):
			return t.refuse(key, "give one of them another target", "two secrets are the variable %s", name)
		}
		from, err := t.secretFrom(key, s.Source, name)
		if err != nil {
			return err
		}
		t.out.Secrets = append(t.out.Secrets, Secret{name, from})
	}
	slices.SortFunc(t.out.Secrets, func(a, b Secret) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// secretFrom returns the place that ECS reads the secret of a variable from. A bare name
// is a parameter of the Parameter Store to ECS. Secrets Manager ends the ARN of a secret
// with six characters of its own.
func (t *translator) secretFrom(key, source, variable string) (string, error) {
	def, ok := t.project.Secrets[source]
	switch {
	case !ok:
		return "", t.refuse(key, "declare it under secrets: at the top of the file", "there is no such secret")
	case !bool(def.External):
		put(&t.ownSecrets, variable, source, 1)
		return "arn:aws:secretsmanager:" + region + ":" + account + ":secret:" + t.project.Name + "/" + source + secretSuffix, nil
	case !secretARN.MatchString(def.Name) && !parameterName.MatchString(def.Name):
		return "", t.refuse(key, "write the secret's full ARN, or the name or the ARN of a parameter, as its name",
			"%q is neither the ARN of a secret nor a parameter", def.Name)
	}
	return def.Name, nil
}

// localHosts changes the values that name a container of the task as a host: in a task,
// all containers have one network, in which each is localhost.
func (d *deriver) localHosts(g *group, _ *Definition) error {
	for _, u := range g.services {
		for i, v := range u.out.Environment {
			value, named := localHost(v, g)
			if named == "" {
				continue
			}
			u.out.Environment[i].Value = value
			d.warn(fmt.Sprintf("services.%s.environment.%s", u.Name, v.Name),
				"names service %s as a host, which is localhost in a task: the value is changed to that; to choose the value, write ${%s:-DEFAULT} and set %s in the environment", named, v.Name, v.Name)
		}
	}
	return nil
}

// localHost returns the value of a variable with localhost in place of the hosts that
// are services of the group, and one of these; "" if there is none.
func localHost(v Variable, g *group) (value, named string) {
	value = v.Value
	for _, other := range g.services {
		if value == other.Name && (v.Name == "HOST" || strings.HasSuffix(v.Name, "_HOST") || strings.HasSuffix(v.Name, "_HOSTNAME")) {
			return "localhost", other.Name
		}
		var ports []int
		for _, m := range other.out.PortMappings {
			ports = append(ports, m.ContainerPort)
		}
		if changed := replaceHost(value, other.Name, ports); changed != value {
			value, named = changed, other.Name
		}
	}
	return value, named
}

var hostPort = regexp.MustCompile(`^:(\d{1,5})(?:$|[/?#,;\s"'])`)

// replaceHost replaces a host in URLs, HOST:PORT and lists of them. If the host's ports
// are known, a port must be one of them.
func replaceHost(value, host string, ports []int) string {
	var out strings.Builder
	rest, url := value, strings.Contains(value, "://")
	for {
		before, after, ok := strings.Cut(rest, host)
		if !ok {
			return out.String() + rest
		}
		out.WriteString(before)
		inURL := url && (strings.HasSuffix(out.String(), "//") || strings.HasSuffix(out.String(), "@"))
		begins := inURL || out.Len() == 0 || strings.ContainsAny(out.String()[out.Len()-1:], ",; \t\"'=")
		switch m := hostPort.FindStringSubmatch(after); {
		case begins && m != nil && known(m[1], ports), inURL && (after == "" || strings.ContainsAny(after[:1], "/?#,;")):
			out.WriteString("localhost")
		default:
			out.WriteString(host)
		}
		rest = after
	}
}

// known reports whether a port is one of the ports, if there are any.
func known(text string, ports []int) bool {
	port, err := strconv.Atoi(text)
	return err == nil && (len(ports) == 0 || slices.Contains(ports, port))
}
