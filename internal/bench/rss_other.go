//go:build !linux

package main

import "errors"

var errNoPeak = errors.New("peak memory is measured on Linux only")

func peakKiB(int) (int, error) { return 0, errNoPeak }
