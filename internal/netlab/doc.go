// Command netlab is the network test, not part of the product: real agents and a real centre,
// with a bad line between them. For each case a PC's night of 200 changes, edited members and
// new ones with their joining events, must come to its end, with hardly more bytes than over a
// good line. It prints one line for each case on standard output:
//
//	name seconds cuts syncs bytes ratio
//
// cuts are the times that the line was cut, syncs how often the night's schedule had to begin,
// bytes those of HTTP in both directions as the agent counts them (TLS excluded), and ratio
// those beside a good line's. It ends with a status other than 0 if a night does not end, or
// costs more than [allowed].
//
//	go run ./internal/netlab
//	go run ./internal/netlab -only loss-30,stall
//	go run ./internal/netlab -seed 3
//
// A line is made of two parts, both here because no library in hand has them: what is lost,
// slow and late is a wire between two network interfaces of the kernel's, so that TCP itself
// fights with it (see wire); what cuts and stalls is a relay behind it (see relay). The
// interfaces, and all processes, live in network namespaces without a name, which end with
// the program. So the whole needs Linux; root, or a system that lets users make namespaces
// and open /dev/net/tun. The relay alone can do cuts and slowness on any system: the short
// form of this test uses that.
//
// It imports helpers under internal only, never agent or server: what it tests, it runs.
package main
