// Package archive keeps what a city's centre knows outside of it: whole backups, the log
// streamed behind them, and every life of the centre that ever began. It makes them while
// the centre works, checks them by putting them back, and puts them back when the centre is
// gone. It owns the layout of the archive target (see DESIGN.md) and the rule of the
// watermark, and promises that nothing counts as kept before it was read back, and that
// nothing that was changed, swapped, cut or mixed passes for a backup.
//
// It reads and applies the ledger's state and asks for the replicated log through [Log]; it
// knows no raft, no network but that of a target, and never opens the gate.
package archive
