package solve_test

import (
	"os"
	"testing"

	"slipway/internal/enginetest"
)

func TestMain(m *testing.M) { os.Exit(enginetest.StopAfter(m).Run()) }
