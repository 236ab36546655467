// Package second keeps a copy of a journal's entries in a second place: a stick or a share.
// It owns the file there and nothing else; it is never the place that a save waits for. The
// file only grows, each entry is sealed with a key of the PC, and whatever cannot be read or
// continued is set aside, never removed. DESIGN.md gives the layout. It imports
// agent/journal, syncproto and internal helpers.
package second
