// Package atomicfile replaces a file as a whole: after [Write] has returned nil the new
// content is on disk under the name, and after any failure or power cut the name holds the
// old content or the new one, never a part. It owns the order of the steps (temp file in
// the same folder, write, fsync, rename, fsync of the folder) and nothing else; it imports
// no other package of the project.
package atomicfile
