// Package opsdoc holds no code, only the test that follows docs/operations.md as a newcomer
// would: every fenced block marked sh is run as it stands, in order, against real processes.
//
// A block names the machine on which it is typed (```sh n1) and, where it is meant to end
// otherwise than well, its exit status (```sh n1 exit=5). Each machine is a folder: paths as
// /var/lib/unionsync lie in it, and 10.0.0.1 is an address on loopback. The two programs are
// the real ones. Of the system's own tools there are stand-ins that do what is needed here:
// sudo, systemctl (which starts what the unit file says and waits for its READY=1),
// journalctl, scp, curl, apt-get, chmod and so on stay the system's.
package opsdoc
