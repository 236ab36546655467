// Package clikit is what the commands of both programs share: the two flags that each of
// them has (--json, --lang), errors as a sentence with a hint, the one table of exit
// statuses, tables that line up with Chinese in them, progress, and masks. It knows no
// record, no store and no server; it imports internal/text and syncproto only, and reads
// neither clock nor environment but through [IO].
//
// A program hands [Main] a function that builds its commands; an action gets its [Session]
// with [From] and returns a plain error. Nothing here ends the process.
package clikit
