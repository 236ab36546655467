// Package syncpb holds the messages of an exchange, generated from exchange.proto. It owns no
// behaviour and imports nothing of this project.
package syncpb
