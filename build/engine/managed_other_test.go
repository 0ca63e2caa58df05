//go:build !linux

package engine_test

// No managed engine runs here, so that nobody asks for a user of one.
const managedEngineUser = "SLIPWAY_TEST_MANAGED_ENGINE_USER"

func useManagedEngine(string) {}

const otherHosts = "SLIPWAY_TEST_OTHER_HOSTS"

func beOtherHosts() {}

const ordinaryUser = "SLIPWAY_TEST_ORDINARY_USER"

func beOrdinaryUser() {}
