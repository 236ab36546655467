// Package unionrpc holds the messages of a node's services, generated from union.proto. It owns
// no behaviour and imports syncpb alone.
package unionrpc
