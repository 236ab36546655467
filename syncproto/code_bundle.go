package syncproto

// Codes of bundles and of moving to another PC by stick (560–579). After any of them
// nothing has been changed.
const (
	CodeBundleForm      Code = 560 // a file is not a bundle
	CodeBundleVersion   Code = 561 // a bundle of a version that is not known here
	CodeBundleTruncated Code = 562 // a bundle is cut short
	CodeBundleDamaged   Code = 563 // a bundle's bytes are not those that were written
	CodeBundleCity      Code = 564 // a bundle is of another city
	CodeBundleAddressee Code = 565 // a bundle is not for this device, or not for a centre
	CodeBundleSigner    Code = 566 // a bundle's signature is not that of whom it names
	CodeBundleTooLarge  Code = 567 // a bundle is over the limit
	CodeBundleSealed    Code = 568 // a bundle is sealed for a key that is not here
	CodeBundleUnasked   Code = 569 // an answer to what this image of the journal did not ask
	CodeBundleRecipient Code = 570 // this PC has not learned yet for whom to seal bundles
	CodeBundleExists    Code = 571 // a file of that name holds something else: file
	CodeBundleNone      Code = 572 // a folder holds no bundle: dir
	CodeStickWrite      Code = 573 // a folder cannot be written: dir
	CodeStickFull       Code = 574 // a disk is full: dir
	CodeStickReadBack   Code = 575 // what was written does not read back the same: file
	CodeStickRead       Code = 576 // a file or folder cannot be read: file
	CodeMoved           Code = 577 // this PC's data has moved to another PC: it saves and sends nothing
	CodeMoveCode        Code = 578 // a code for a move was mistyped, or is another file's
	CodeMoveTarget      Code = 579 // the folder to move to is in use: dir
)
