package stack_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"slipway/internal/testkit"
	"slipway/internal/testtools"
)

// TestRotation runs the function that rotates the header of site-cdn against moto: at no
// step does CloudFront send a value that the load balancer refuses.
func TestRotation(t *testing.T) {
	t.Parallel() // a run takes seconds
	python := filepath.Join(filepath.Dir(testtools.Require(t, testtools.Moto)), "python3")
	dir := testkit.WriteTree(t, map[string]string{
		"index.py":    document(t, "site-cdn", "Resources", "RotationFunction", "Properties", "Code", "ZipFile").Value,
		"rotation.py": testkit.ReadFile(t, "testdata/rotation.py"),
	})
	out, err := exec.CommandContext(t.Context(), python, filepath.Join(dir, "rotation.py")).CombinedOutput()
	const want = `createSecret: takes old, sends old, current old
setSecret: takes old new, sends new, current old
testSecret: takes old new, sends new, current old
finishSecret: takes new, sends new, current new
`
	if err != nil || string(out) != want {
		t.Errorf("the rotation: %v\n%s, want\n%s", err, out, want)
	}
}
