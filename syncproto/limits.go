package syncproto

// Limits of the protocol, checked when saving and again at the centre.
const (
	MaxChangeBytes  = 16 << 10  // one encoded change
	MaxRecordBytes  = 48 << 10  // one encoded record
	MaxBatchBytes   = 256 << 10 // a batch or page, unpacked
	MaxBatchChanges = 500       // changes in a batch or page
	MinBudgetBytes  = 2 << 10   // the least that an agent's byte budget falls to after cuts
	MaxEntryBytes   = 768 << 10 // a raft log entry, unpacked
	MaxRequestBytes = 1 << 20   // a Request or Response as it travels
	MaxUnionCode    = 32        // bytes of a union's code
	MaxActorBytes   = 64        // bytes of a desk user's name in a change
	MaxNoteBytes    = 1 << 10   // bytes of a change's note
	CityUnion       = "city"    // the union code under which the city's own records stand
	RecordHashSize  = 8         // bytes of a record's hash in a verdict
	ProtocolMin     = 1         // oldest Exchange version that is served: for ever
	ProtocolMax     = 1         // newest Exchange version known here
)
