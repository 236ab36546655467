// Package tlsid owns how the two ends of a connection know each other: who a certificate
// names, whether the city's CA vouches for it, and the TLS settings of both ends. Agent and
// centre use it. It makes no certificates (server/trust does), keeps no list of devices and
// no files, and imports nothing of agent or server.
//
// What is checked: the signature of the one pinned CA, the role, and nothing of dates or
// host names. A PC whose clock lost its battery must still sync, and after ten years without
// a renewal too; whether a device may still come is the device list's word at the centre.
// Which node answers does not matter, as long as it is one of this city.
package tlsid
