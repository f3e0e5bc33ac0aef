//go:build unix

package git

import (
	"os/exec"
	"syscall"
)

// together makes a command and all that it starts end together: git fetches by
// programs of its own, which would otherwise go on filling the disk.
func together(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
