// Package link is a PC's line to the centre: HTTPS with the device's certificate to nodes of
// the pinned CA only, their addresses tried in turn, the one that answered last first; the
// office's proxy; counters of what went over the line; errors as codes. It knows neither
// records nor files: what to send is the caller's. It imports syncproto and internal/rpc,
// never another part of agent.
package link
