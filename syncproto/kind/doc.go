// Package kind is record kinds as data: what fields a member, a congress session or a
// disclosure has, how each is typed, checked, merged and shown, and which rules hold
// between them. A kind is one YAML file (files/*.yaml, embedded); a new kind is a new file
// and no new code.
//
// Files change over time: [Versions] holds a kind in several versions, of which the newest is
// in force, and [Compatible] says what a new one may not do, since records and changes of all
// versions stay.
//
// The package owns the format of those files, the canonical bytes of every value
// ([Field.Parse], [Field.Format]) and the checks of a whole record ([Kind.Check]). It is
// pure: no I/O beyond the [fs.FS] it is given, no clock (today's day is passed in), no
// randomness, no map order in its results. It never imports agent or server.
package kind
