package syncproto

// Codes of what is not let in now (643-649). Each but [CodeTooSlow] comes with the seconds
// after which to come again: see [Later].
const (
	CodeDeviceBusy Code = 643 // a device has too many exchanges under way, or too many in a short time: seconds
	CodeQueueFull  Code = 644 // too many changes wait for a place in the log: seconds
	CodeMemoryFull Code = 645 // the requests that the node reads fill the memory that they may have: seconds
	CodeTooSlow    Code = 646 // a request came too slowly to be read to its end
	CodeStrangers  Code = 647 // too many callers without a certificate: seconds
)

// Later reports whether a code asks to come again in a while and nothing is wrong: the
// centre has more to do than it takes at once. The sender loses nothing but time.
func Later(c Code) bool {
	switch c {
	case CodeBusy, CodeDeviceBusy, CodeQueueFull, CodeMemoryFull, CodeStrangers:
		return true
	}
	return false
}
