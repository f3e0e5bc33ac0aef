package store

import (
	"os"

	"golang.org/x/sys/windows"
)

// lockFile locks f until it is closed; the kernel unlocks when the process dies.
func lockFile(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{})
}

// syncDirectory has nothing to do: NTFS keeps the names itself.
func syncDirectory(string) error { return nil }
