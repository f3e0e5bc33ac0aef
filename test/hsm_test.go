package test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// softHSM is the PKCS#11 module that tests use: where Debian has it, or as
// SIGNALBOX_TEST_PKCS11 says.
func softHSM() string {
	return cmp.Or(os.Getenv("SIGNALBOX_TEST_PKCS11"), "/usr/lib/softhsm/libsofthsm2.so")
}

// buildHSM is the path of the binary that signs by PKCS#11 tokens, named signalbox too.
func buildHSM(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "signalbox")
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "-C", "../hsm", "build", "-mod=mod", "-o", path, "./cmd/signalbox")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the binary with PKCS#11: %w\n%s", err, out)
	}
	return path, nil
}
