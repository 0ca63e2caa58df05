package hint

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"slipway/artifact/source"
	"slipway/registry"
	"slipway/registry/lifecycle"
	"slipway/registry/revisions"
)

// TestHintsOfRegistryAndArtifact checks that each error type gets the hint that
// names the command to type, also where it is wrapped.
func TestHintsOfRegistryAndArtifact(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	newest := []revisions.Revision{{Name: "1a2b3c", Made: at.Add(-3 * time.Hour)}}
	archived := &revisions.UnreadableError{Code: types.ImageFailureCodeImageInaccessible}
	for _, c := range []struct {
		err  error
		want string
	}{
		{&registry.MissingError{}, "check the names, the account and the region; `slipway build --create-repositories` creates"},
		{&lifecycle.ConflictError{}, "or overwrite the whole policy with `--replace-policy`"},
		{&lifecycle.UnreadableError{Err: errors.New("no JSON")}, "or overwrite it with `--replace-policy`"},
		{&revisions.ExtraError{}, "choose another tag; `slipway revisions` lists"},
		{&revisions.NamesUsedError{}, "build under another name with `--hash`"},
		{&revisions.RevertError{Err: errors.New("refused")}, "then `slipway rollback HASH`"},
		{archived, "or build under another name with `--hash`"},
		{&revisions.NameError{Err: errors.New("empty")}, "`slipway revisions` lists them"},
		{&revisions.NameError{Err: revisions.ErrUntrusted}, "build the commit with `slipway build` where it is trusted"},
		{&revisions.UntrustedError{}, "build the commit with `slipway build` where it is trusted"},
		{&revisions.UnknownError{}, "no complete revision: create one with `slipway build`"},
		{&revisions.UnknownError{Newest: newest, At: at}, "(`slipway revisions` lists all):\n  1a2b3c  made 3 hours ago"},
		{&revisions.IncompleteError{Days: 7}, "images expire there 7 days after their push; `slipway revisions` lists the complete"},
		{&revisions.GoneError{}, "have expired or were deleted; `slipway revisions` lists"},
		{&source.SecretsError{}, "add `--respect-ignore`, or add `--allow-secrets`"},
		{&source.Error{Cause: source.Unsendable}, "remove or correct these files"},
		{&source.Error{Cause: source.TooMuch}, "and add `--respect-ignore`"},
		{&source.Error{Cause: source.NoGit}, "install git"},
		{&source.Error{Cause: source.GitFailed}, "repair the git repository"},
	} {
		if got := Of(fmt.Errorf("wrapped: %w", c.err)); !strings.Contains(got, c.want) {
			t.Errorf("Of(%T) = %q, want %q in it", c.err, got, c.want)
		}
	}
}
