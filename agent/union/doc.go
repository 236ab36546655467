// Package union owns one open union on this PC: it saves what a person edits, shows and
// finds records, tells their history and how far they are delivered, and gives the
// exchange what it reads and writes. It joins the journal (the truth) and the store (what
// is shown); both are made and opened here and nowhere else.
//
// A change is saved once it is in the journal: from there on [Union.Save] succeeds, even
// if the store fails and must be made again. The package imports journal, store and
// syncproto; it knows no network, no sheet and no screen.
package union
