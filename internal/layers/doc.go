// Package layers holds no code, only tests that read the project's own source: which room
// may import which, which libraries stay in which room, and the rules of style that a
// machine can check. They are the arrows of docs/design.md; change both together.
package layers
