// Package unionrpcconnect holds the stubs of a node's services, generated from union.proto. It
// owns no behaviour; gate serves them, agent and union-server call them.
package unionrpcconnect
