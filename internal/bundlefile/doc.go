// Package bundlefile makes bundles and opens them, and writes them to a stick so that it is
// safe to remove: temporary name, fsync, rename, fsync of the folder, read back, compare. It
// is what agent and centre share of bundles; syncproto/bundle owns the layout, and who may
// send what is for the two ends to decide. Nothing is written under a bundle's name that is
// not that bundle, and no file is ever replaced by another content.
package bundlefile
