package keystore

import (
	"bytes"
	"unsafe"

	"golang.org/x/sys/windows"
)

// system is how this system protects a key: DPAPI, for the user who enrolled.
var system wrapper = dpapi{}

// entropy keeps other programs of the same user from unwrapping the key by accident.
var entropy = []byte("unionsync data key")

type dpapi struct{}

func (dpapi) method() byte { return methodDPAPI }

func (dpapi) wrap(plain []byte) ([]byte, error) {
	var out windows.DataBlob
	err := windows.CryptProtectData(blob(plain), nil, blob(entropy), 0, nil, windows.CRYPTPROTECT_UI_FORBIDDEN, &out)
	return take(&out, err)
}

func (dpapi) unwrap(method byte, wrapped []byte) ([]byte, error) {
	if method != methodDPAPI {
		return fileWrapper{}.unwrap(method, wrapped)
	}
	var out windows.DataBlob
	err := windows.CryptUnprotectData(blob(wrapped), nil, blob(entropy), 0, nil, windows.CRYPTPROTECT_UI_FORBIDDEN, &out)
	return take(&out, err)
}

func blob(b []byte) *windows.DataBlob {
	if len(b) == 0 {
		return &windows.DataBlob{}
	}
	return &windows.DataBlob{Size: uint32(len(b)), Data: &b[0]}
}

// take copies what Windows allocated and gives that back.
func take(out *windows.DataBlob, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	b := bytes.Clone(unsafe.Slice(out.Data, out.Size))
	_, err = windows.LocalFree(windows.Handle(unsafe.Pointer(out.Data)))
	return b, err
}
