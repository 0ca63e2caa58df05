package target

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"slipway/internal/bounded"
)

// maxGrowth is the size in bytes of a Dockerfile with its variables substituted.
const maxGrowth = 16 << 20

var (
	// dockerfileReference is a variable in an instruction, and what is done to its value.
	dockerfileReference = regexp.MustCompile(`\$\{?([A-Za-z0-9_]+)(/|:?\+)?`)
	// dockerfileVariable is a variable that ARG or ENV sets.
	dockerfileVariable = regexp.MustCompile(`^\s*\S+\s+([A-Za-z0-9_]+)|([A-Za-z0-9_]+)=`)
)

// checkGrowth bounds what the variables of a Dockerfile grow to before it is interpreted
// on this host: twenty lines can double twenty times. What cannot be parsed is left to
// the frontend.
func (t Target) checkGrowth(text []byte, name string) error {
	file, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil
	}
	sizes, total := map[string]int{}, 0
	for arg, value := range t.Args {
		sizes[arg] = len(value)
	}
	for _, node := range file.AST.Children {
		size := grown(node.Original, sizes)
		if total += size; total > maxGrowth {
			return badInput(fmt.Sprintf("services.%s.build: %s:%d", t.Service, name, node.StartLine), "use fewer variables inside the values of others",
				"the values are larger than the limit of %s", bounded.Size(maxGrowth))
		}
		if !strings.EqualFold(node.Value, "ARG") && !strings.EqualFold(node.Value, "ENV") {
			continue
		}
		for _, m := range dockerfileVariable.FindAllStringSubmatch(node.Original, -1) {
			variable := m[1] + m[2]
			sizes[variable] = max(size, len(t.Args[variable]))
		}
	}
	return nil
}

// grown is the most bytes that a line has with its variables substituted, as far as that
// is below the limit. A pattern in one value can be replaced by another value throughout.
func grown(line string, sizes map[string]int) int {
	size, factor := len(line), 1
	for _, m := range dockerfileReference.FindAllStringSubmatch(line, -1) {
		switch m[2] {
		case "+", ":+": // what follows stands for the value
			continue
		case "/":
			factor = min(factor*(sizes[m[1]]+1), maxGrowth)
		}
		size += sizes[m[1]]
	}
	return min(size*factor, maxGrowth+1)
}
