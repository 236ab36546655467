// Package e2e holds tests of the whole with real processes: three nodes and five PCs on
// loopback, killed at the worst moments. It talks to the programs through their command
// lines; what should come out is recounted by internal/testcity. It has no code of its own
// but its tests, and nothing imports it.
package e2e
