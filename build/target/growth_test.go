package target_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"slipway/build/target"
	"slipway/internal/fault"
)

// A Dockerfile whose variables double is refused before it is interpreted here.
func TestBasesOfGrowingVariables(t *testing.T) {
	doubling := func(instruction string) string {
		var b strings.Builder
		fmt.Fprintf(&b, "FROM scratch\n%s A0=xxxxxxxxxx\n", instruction)
		for i := range 22 {
			fmt.Fprintf(&b, "%s A%d=$A%d${A%d}\n", instruction, i+1, i, i)
		}
		return b.String()
	}
	replacing := "FROM scratch\nARG A=" + strings.Repeat("x", 8000) + "\nARG B=${A//x/$A}\n"
	for name, dockerfile := range map[string]string{
		"ARG": doubling("ARG"), "ENV": doubling("ENV"), "arg": doubling("arg"), "pattern": replacing,
	} {
		_, err := target.Bases(t.Context(), target.Target{Service: "web", DockerfileInline: dockerfile})
		var input *fault.InputError
		if !errors.As(err, &input) || !strings.Contains(err.Error(), "the values are larger than the limit of 16 MiB") {
			t.Errorf("%s: Bases: %v, want an *InputError that names the limit", name, err)
		}
	}
	small := "ARG V=1\nFROM busybox:$V\nENV PATH=$PATH:/a PATH=$PATH:/b\nARG W=${V/1/2}\n" + strings.Repeat("ENV LIBS=${LIBS:+$LIBS:}/lib\n", 40)
	bases, err := target.Bases(t.Context(), target.Target{Service: "web", DockerfileInline: small})
	if err != nil || len(bases) != 1 || bases[0].Image != "busybox:1" {
		t.Errorf("Bases of a small Dockerfile: %v, %v, want busybox:1", bases, err)
	}
}
