//go:build !linux

package engine_test

// No engine of our own runs here, so that nobody asks for a user of one.
const userOfOwnEngine = "SLIPWAY_TEST_USER_OF_OWN_ENGINE"

func useOwnEngine(string) {}

const otherHosts = "SLIPWAY_TEST_OTHER_HOSTS"

func beOtherHosts() {}

const ordinaryUser = "SLIPWAY_TEST_ORDINARY_USER"

func beOrdinaryUser() {}
