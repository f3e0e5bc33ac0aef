package measure

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Self is user and system time that this process has used so far.
func Self() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// tick is the unit of times in /proc: USER_HZ, which is 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// stat is what /proc says of a process.
type stat struct {
	parent         int
	own, descended time.Duration // user and system time; descended is that of children that have ended
}

func readStat(pid int) (stat, error) {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return stat{}, err
	}
	// The name in parentheses may hold anything, so fields are counted after it.
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 15 {
		return stat{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(f))
	}
	var n [15]int64
	for _, i := range []int{1, 11, 12, 13, 14} {
		if n[i], err = strconv.ParseInt(f[i], 10, 64); err != nil {
			return stat{}, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
	}
	return stat{parent: int(n[1]), own: time.Duration(n[11]+n[12]) * tick, descended: time.Duration(n[13]+n[14]) * tick}, nil
}

// Process is user and system time that another process has used so far.
func Process(pid int) (time.Duration, error) {
	s, err := readStat(pid)
	return s.own, err
}

// Family is the time that a process and its children have used so far, those that
// have ended among them: a PostgreSQL server has a process a connection.
func Family(pid int) (time.Duration, error) {
	s, err := readStat(pid)
	if err != nil {
		return 0, err
	}
	all := s.own + s.descended
	others, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	for _, path := range others {
		child, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			continue
		}
		if c, err := readStat(child); err == nil && c.parent == pid { // one that has ended since is in descended next time
			all += c.own + c.descended
		}
	}
	return all, nil
}

// Parent is the process that started another.
func Parent(pid int) (int, error) {
	s, err := readStat(pid)
	return s.parent, err
}
