package syncproto

// VerdictKind is what became of a change at the centre. The numbers are permanent.
type VerdictKind uint8

// Kinds of verdict.
const (
	VerdictNone     VerdictKind = iota
	VerdictApplied              // every edit followed what its author saw
	VerdictParallel             // the record had changed elsewhere, and the merge classes settled it
	VerdictConflict             // a case is open: a person must decide
	VerdictHeld                 // has its place and receipt but does not touch the record
	VerdictDropped              // a held change that a person dropped: history only
)

// String names the kind in English, for logs and transcripts.
func (k VerdictKind) String() string {
	names := [...]string{"none", "applied", "parallel", "conflict", "held", "dropped"}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

// HeldReason says why a change is held. The numbers are permanent.
type HeldReason uint8

// Reasons of a hold.
const (
	HeldNot        HeldReason = iota
	HeldBehind                // an earlier change of the same journal to the same record is held
	HeldMalformed             // its bytes cannot be read or break a limit of the protocol
	HeldValue                 // a value is not of its field's type
	HeldAppendOnly            // it edits a record of a kind that only grows
	HeldTooLarge              // the record would exceed its size limit
	HeldLost                  // the frame was damaged on the PC: only its place came
	HeldErased                // the frame was erased on legal request: only its place came
	HeldRevoked               // it was made after the device was revoked
	HeldForeign               // it names another union than its journal's
	HeldNotAllowed            // it decides about held changes that its author may not decide about
)

// String names the reason in English, for logs and transcripts.
func (r HeldReason) String() string {
	names := [...]string{"", "behind", "malformed", "value", "append-only", "too-large", "lost", "erased", "revoked", "foreign", "not-allowed"}
	if int(r) < len(names) {
		return names[r]
	}
	return "unknown"
}

// RecordHash is the first eight bytes of a record's digest hash.
type RecordHash [RecordHashSize]byte

// Verdict is the centre's stored answer to one change.
type Verdict struct {
	Position Position
	Kind     VerdictKind
	Reason   HeldReason // only with [VerdictHeld]
	Hash     RecordHash // of the record as it stood after the change
}

// Placed is a change where it stands: what a journal, the log and a segment hold of it.
// Change is nil where the bytes cannot be read.
type Placed struct {
	Place  Place
	Bytes  []byte
	Change *Change
}
