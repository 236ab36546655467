package syncproto

// Codes of the exchange.
const (
	CodeOtherCentre     Code = 500 // the answer is signed by another city's CA: nothing is exchanged
	CodeProtocol        Code = 501 // no common version of the protocol
	CodeNotYourUnion    Code = 502 // the device is not enrolled for this union
	CodeDeviceUnknown   Code = 503 // the centre does not know the device
	CodeDeviceRevoked   Code = 504 // the city has revoked the device
	CodeUnknownPrevious Code = 505 // the centre does not have the place before a segment
	CodeSegment         Code = 506 // a segment is malformed
	CodeSignature       Code = 507 // a segment's signature is not its signer's
	CodeTooLarge        Code = 508 // a request or change is over the limit
	CodeCentreBehind    Code = 509 // the centre lacks what it gave a receipt for, and says no reason
	CodeReceipt         Code = 510 // a receipt does not verify
	CodeDigest          Code = 511 // the digests differ: both ends' records are being compared
	CodeUnreachable     Code = 512 // no node of the centre answered
	CodeBusy            Code = 513 // the centre asks to come later
	CodeNoLeader        Code = 514 // the centre has no leader now
	CodeForked          Code = 515 // the centre knows a branch of this journal that is not on this PC
	CodeAnswer          Code = 516 // an answer cannot be understood
	CodeGeneration      Code = 517 // the centre was restored; what it lacks is sent again first
	CodeFirstFetch      Code = 518 // the first fetch is not finished: looking is possible, saving is not
	CodeSignerUnknown   Code = 519 // the centre does not know who signed a segment: its certificate is handed back
	CodeDiffering       Code = 521 // the centre had records otherwise than this PC, which takes the centre's: see the cases
)
