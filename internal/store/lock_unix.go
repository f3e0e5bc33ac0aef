//go:build unix

package store

import (
	"os"
	"syscall"
)

// lockFile locks f until it is closed; the kernel unlocks when the process dies.
func lockFile(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
