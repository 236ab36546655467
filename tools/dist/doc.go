// Package dist holds what only a release needs: the tool that makes Debian packages, the
// program that makes zip files, and the tests that read alert rules and dashboard with
// Prometheus's own parser. It is a module of its own, so that the product does not carry
// what they need.
package dist
