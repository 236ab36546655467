package gate

import (
	"context"
	"errors"

	"unionsync/server/health"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// outcomeOf says in one word how an exchange ended, for metrics.
func outcomeOf(r *syncpb.Response, err error) string {
	switch {
	case err == nil && len(r.GetRevocations()) > 0 && r.GetPage() == nil:
		return health.OutcomeRevoked
	case err == nil && (r.GetPage().GetMore() || len(r.GetRefused()) > 0 || r.GetPage() == nil):
		return health.OutcomeMore
	case err == nil:
		return health.OutcomeComplete
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return health.OutcomeBusy
	}
	if syncproto.Later(syncproto.CodeOf(err)) {
		return health.OutcomeBusy
	}
	switch syncproto.CodeOf(err) {
	case syncproto.CodeNoLeader, syncproto.CodeNotLeader, syncproto.CodeNotReady,
		syncproto.CodeUnknownOutcome, syncproto.CodeNodeStopped, syncproto.CodeUnreachable:
		return health.OutcomeBusy
	case syncproto.CodeInternal:
		return health.OutcomeFailed
	}
	return health.OutcomeRefused
}
