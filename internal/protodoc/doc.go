// Package protodoc holds the test of docs/protocol.md: it reads the values that the page gives,
// makes each of its examples again with the code that agent and centre run, and compares.
// There is no code in it but tests, so it may look at every room; nothing imports it.
//
// After a change of the page's values: go test ./internal/protodoc -rewrite. An example that
// changes without a change of values is a broken format.
package protodoc
