package target_test

import (
	"fmt"
	"slices"
	"testing"

	"slipway/build/target"
	"slipway/internal/testkit"
)

func TestExposed(t *testing.T) {
	for name, c := range map[string]struct {
		dockerfile, build string
		want              []string
	}{
		"none":                {"FROM scratch\n", "build: .", nil},
		"ports":               {"FROM scratch\nEXPOSE 8080 53/udp\n", "build: .", []string{"53/udp", "8080/tcp"}},
		"a range":             {"FROM scratch\nEXPOSE 8000-8001\n", "build: .", []string{"8000/tcp", "8001/tcp"}},
		"an argument":         {"FROM scratch\nARG PORT=1\nEXPOSE $PORT\n", "build: {context: ., args: {PORT: 9000}}", []string{"9000/tcp"}},
		"another stage":       {"FROM scratch AS a\nEXPOSE 1\nFROM scratch\nEXPOSE 2\n", "build: .", []string{"2/tcp"}},
		"the stage":           {"FROM scratch AS a\nEXPOSE 1\nFROM scratch\nEXPOSE 2\n", "build: {context: ., target: a}", []string{"1/tcp"}},
		"an earlier stage":    {"FROM example.org/base AS a\nEXPOSE 1\nFROM a\n", "build: .", []string{"1/tcp"}},
		"a remote context":    {"", "build: https://example.org/a.git", nil},
		"a syntax of its own": {"# syntax=example.org/own\nEXPOSING 1\n", "build: .", nil},
		"only an image":       {"", "image: example.org/a", nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := load(t, testkit.WriteTree(t, map[string]string{"compose.yaml": "services: {a: {" + c.build + "}}\n", "Dockerfile": c.dockerfile}))
			got, err := target.Exposed(t.Context(), p, "a", nil)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("Exposed returned %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestExposedErrors(t *testing.T) {
	for dockerfile, want := range map[string]string{
		"FROM scratch\nEXPOSE\n":   "services.a.build: %[1]s/Dockerfile:2: dockerfile parse error on line 2: EXPOSE requires at least one argument",
		"FROM scratch\nEXPOSE x\n": "services.a.build: %[1]s/Dockerfile:2: invalid containerPort: x",
	} {
		dir := testkit.WriteTree(t, map[string]string{"compose.yaml": "services: {a: {build: .}}\n", "Dockerfile": dockerfile})
		_, err := target.Exposed(t.Context(), load(t, dir), "a", nil)
		wantInputError(t, err, fmt.Sprintf(want, dir))
	}
}
