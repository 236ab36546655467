// Command bench measures the project and prints one line "name value unit" for each figure
// of docs/benchmarks.md on standard output; progress goes to standard error. Each
// measurement is repeated and its median printed; saves have a 50th and a 99th percentile.
// It ends with status 1 when a figure cannot be measured, never because of a slow machine.
//
// It puts both sides together: agents in its own process, so that requests and bytes are
// counted exactly, three nodes of the centre and the agents whose memory is measured as
// processes. Everything lies in one temporary folder, which it removes. Nothing imports it.
package main
