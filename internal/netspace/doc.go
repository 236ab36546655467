// Package netspace makes network namespaces of Linux for tests with real processes: the
// program itself in one, and rooms beside it in which single processes live, each joined to
// the program by a network interface whose packets the program carries. What is lost, late or
// cut is then the program's to decide, and TCP itself fights with it. Everything made here
// ends with the program, also when it is killed.
//
// It needs root, or a system that lets users make namespaces and open /dev/net/tun. On other
// systems the package is empty. It imports nothing of this project.
package netspace
