//go:build !windows

package keystore

// system is how this system protects a key: by the mode of its file.
var system wrapper = fileWrapper{}
