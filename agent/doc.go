// Package agent wires the rooms below it into a PC's agent: it owns the data folder (the
// PC's identity, the centre's addresses, a folder for each union), enrolment, syncs with
// what they say beside records, imports, and the loop that syncs every night. Records are
// agent/union's, sheets are agent/sheet's, the line is agent/link's. It never imports
// anything of server, and prints nothing.
package agent
