//go:build !unix

package main

import "errors"

func used(string) (int64, error) { return 0, errors.New("disk use is measured on Unix only") }
