// Package cnid checks the numbers by which China names persons and organisations: the
// citizen's number of GB 11643-1999 and the unified social credit code of GB 32100-2015.
// Its functions are pure. It imports nothing of this project, reads no clock, and never
// puts a number into an error.
package cnid
