// Package wire is the glue between this project and Connect, for both ends: errors as
// permanent codes in a header, zstd with bounds, trimmed headers, and the HTTP clients. It
// knows no business; it imports syncproto, its messages and its sisters under internal/rpc,
// never agent or server.
package wire
