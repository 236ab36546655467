package syncproto

// Codes of counts (800–899).
const (
	CodeCountNotReady  Code = 800 // the census is still reading the records
	CodeCountTooOld    Code = 801 // asked as known at a position before those it knows: known, first
	CodeCountAhead     Code = 802 // asked as known at a position that has not been reached: known, head
	CodeCountLost      Code = 803 // asked as known at a position that a restore may have undone: known
	CodeCountDimension Code = 804 // an unknown dimension, or one twice: dimension, known
	CodeCountTooMany   Code = 805 // more dimensions than max: max
	CodeCountTooLarge  Code = 806 // the answer would have more than max cells: cells, max
	CodeCountDay       Code = 807 // not a day as 2006-01-02: day
	CodeCountKinds     Code = 808 // the kind files lack what the census needs: kind, field
	CodeCountCode      Code = 809 // a filter names a code that does not exist: dimension, code
	CodeCountBands     Code = 810 // age bands that overlap or are not in order: band
)
