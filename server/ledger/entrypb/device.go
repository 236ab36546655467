// Package entrypb holds the messages of the centre's log entries and state. It owns no
// behaviour but small questions to its own messages.
package entrypb

import "slices"

// HasUnion reports whether the device may act for a union.
func (d *Device) HasUnion(union string) bool { return slices.Contains(d.GetUnions(), union) }
