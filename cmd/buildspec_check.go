package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"slipway/buildspec"
	"slipway/cmd/findings"
	"slipway/internal/bounded"
	"slipway/internal/fault"
	"slipway/project"
)

// maxBuildspec bounds what is read: a buildspec is a page or two.
const maxBuildspec = 256 << 10

// checkedBuildspec is what `buildspec --check FILE --output json` prints.
type checkedBuildspec struct {
	File string `json:"file"`
	buildspec.Report
}

// checkBuildspec tells what is wrong with a buildspec.
func checkBuildspec(ctx context.Context, w *cli, o buildspecOptions) error {
	data, err := bounded.ReadGiven(ctx, project.Absolute(w.Dir, o.check), maxBuildspec)
	if err != nil {
		return fault.New(fault.Usage, fmt.Errorf("--check: %w", err), "name a buildspec")
	}
	// The check takes time that grows with the square of a buildspec's keys.
	report, err := bounded.Do(ctx, func() (buildspec.Report, error) { return buildspec.Check(data) })
	var syntax *buildspec.SyntaxError
	if errors.As(err, &syntax) {
		return fault.NewInput(o.check+":"+strconv.Itoa(syntax.Line), syntax.Problem, syntax.Hint())
	}
	if err != nil {
		return err
	}
	if o.output == "json" {
		err = writeJSON(w.stdout, checkedBuildspec{o.check, report})
	} else {
		_, err = io.WriteString(w.stdout, findings.Buildspec(o.check, report))
	}
	if err != nil {
		return err
	}
	if err := findings.BuildspecError(o.check, report); err != nil {
		return err
	}
	w.Infof("%s: nothing found that breaks a build or is dangerous", o.check)
	return nil
}
