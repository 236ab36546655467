package clikit

import (
	"context"
	"errors"
	"fmt"

	"unionsync/syncproto"
)

// Exit statuses. They are permanent; scripts rely on them.
const (
	ExitOK          = 0   // done
	ExitInternal    = 1   // the program failed inside
	ExitUsage       = 2   // the command line cannot be understood
	ExitInput       = 3   // bad input, refused rows, nothing found
	ExitOffline     = 4   // the centre cannot be reached; changes stay saved on this PC
	ExitAttention   = 5   // something waits for a person: held changes, conflicts
	ExitStorage     = 6   // the disk or a file failed
	ExitRefused     = 7   // refused for identity or permission
	ExitBusy        = 8   // another process has it, or the centre is busy: try again later
	ExitInterrupted = 130 // stopped by Ctrl-C
)

// Statuses lists every exit status, as help and README print them: what it means stands in
// the catalogue under cli.exit_N.
var Statuses = []int{
	ExitOK, ExitInternal, ExitUsage, ExitInput, ExitOffline,
	ExitAttention, ExitStorage, ExitRefused, ExitBusy, ExitInterrupted,
}

// exits gives the status of each code. There is no other such table. The first row that
// holds the code wins; the ranges at the end are those of syncproto's code list.
var exits = []exit{
	one(syncproto.CodeInternal, ExitInternal),
	one(syncproto.CodeUsage, ExitUsage),
	{100, 399, ExitInput}, // general, kinds and data, spreadsheets
	{syncproto.CodeDeviceNotFound, syncproto.CodeDeviceUnclear, ExitInput},
	one(syncproto.CodeUnconfirmed, ExitUsage),
	{400, 499, ExitRefused}, // identity and enrolment

	one(syncproto.CodeOtherCentre, ExitRefused),
	{syncproto.CodeNotYourUnion, syncproto.CodeDeviceRevoked, ExitRefused},
	one(syncproto.CodeSignature, ExitRefused),
	one(syncproto.CodeCentreBehind, ExitAttention),
	one(syncproto.CodeReceipt, ExitAttention),
	one(syncproto.CodeDigest, ExitAttention),
	one(syncproto.CodeForked, ExitAttention),
	one(syncproto.CodeUnreachable, ExitOffline),
	{syncproto.CodeBusy, syncproto.CodeNoLeader, ExitBusy},
	{syncproto.CodeGeneration, syncproto.CodeFirstFetch, ExitBusy},
	{syncproto.CodeBundleCity, syncproto.CodeBundleSigner, ExitRefused},
	one(syncproto.CodeBundleSealed, ExitRefused),
	{syncproto.CodeStickWrite, syncproto.CodeStickRead, ExitStorage},
	{syncproto.CodeMoved, syncproto.CodeMoveCode, ExitRefused},
	{500, 599, ExitInput}, // the rest of exchange: what one end sends is not to the other's liking

	{syncproto.CodeNodeGone, syncproto.CodeRecoverBehind, ExitAttention},
	one(syncproto.CodeRecoverLoss, ExitUsage),
	one(syncproto.CodeStateDiffers, ExitAttention),
	one(syncproto.CodeReadOnly, ExitBusy),
	one(syncproto.CodeNodeDiskFull, ExitStorage),
	one(syncproto.CodeLedgerOpen, ExitStorage),
	one(syncproto.CodeLedgerEntry, ExitStorage),
	one(syncproto.CodeNotReady, ExitBusy),
	one(syncproto.CodeListen, ExitBusy),
	one(syncproto.CodeArchiveTarget, ExitStorage),
	{syncproto.CodeBackupAltered, syncproto.CodeLogAltered, ExitStorage},
	one(syncproto.CodeRestoreLoss, ExitAttention),
	one(syncproto.CodeBackupRunning, ExitBusy),
	one(syncproto.CodeBackupKey, ExitRefused),
	one(syncproto.CodeBackupUnusable, ExitStorage),
	{syncproto.CodeCheckHangs, syncproto.CodeMemberSilent, ExitAttention},
	one(syncproto.CodeHealthSilent, ExitOffline),
	{syncproto.CodeDeviceBusy, syncproto.CodeStrangers, ExitBusy},
	{600, 699, ExitInput}, // the rest of the centre: org files, names, configuration

	one(syncproto.CodeInUse, ExitBusy),
	one(syncproto.CodeNoUnion, ExitInput),
	{syncproto.CodeUnionExists, syncproto.CodeSecondDir, ExitInput},
	{syncproto.CodeFoundClock, syncproto.CodeFoundHeld, ExitAttention},
	{700, 799, ExitStorage},

	one(syncproto.CodeCountNotReady, ExitBusy),
	{800, 899, ExitInput}, // counts
	one(syncproto.CodeDataDir, ExitStorage),
	one(syncproto.CodeNotEnrolled, ExitInput),
	one(syncproto.CodeUnionNotHere, ExitInput),
	one(syncproto.CodeDeviceFiles, ExitStorage),
	one(syncproto.CodeOtherCity, ExitRefused),
	{syncproto.CodeRecordUnclear, syncproto.CodeFileUnread, ExitInput},
	one(syncproto.CodeCut, ExitOffline),
	one(syncproto.CodeExportExists, ExitInput),
	one(syncproto.CodeProxy, ExitOffline),
	{syncproto.CodeCaseGone, syncproto.CodeCaseWay, ExitInput},
	{900, 999, ExitUsage}, // the rest of commands
}

// exit is the status for the codes from one to another.
type exit struct {
	from, to syncproto.Code
	status   int
}

func one(code syncproto.Code, status int) exit { return exit{code, code, status} }

// Outcome is an error that only sets the exit status: the command has already said on
// standard output what there is to say, as an import with refused rows does.
type Outcome int

// Error gives the status, for logs.
func (o Outcome) Error() string { return fmt.Sprintf("exit status %d", int(o)) }

// ExitStatus gives the exit status for what an action returned.
func ExitStatus(err error) int {
	var outcome Outcome
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &outcome):
		return int(outcome)
	}
	var coded *syncproto.Error
	if !errors.As(err, &coded) {
		if errors.Is(err, context.Canceled) {
			return ExitInterrupted
		}
		return ExitInternal
	}
	for _, e := range exits {
		if e.from <= coded.Code && coded.Code <= e.to {
			return e.status
		}
	}
	return ExitInternal
}
