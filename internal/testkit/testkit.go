// Package testkit sets up what the tests of several packages need: a sandbox
// and AWS clients for it, registries, certificates, directories of files and
// compiled programs. A function that cannot do its work fails the test. Only
// tests import the package.
package testkit
