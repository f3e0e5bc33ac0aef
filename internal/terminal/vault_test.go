package terminal

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/wire"
)

func TestVault(t *testing.T) {
	at := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		v    wire.Vault
		says []string
	}{
		"new":       {wire.Vault{Kind: "disk"}, []string{"quota        none", "lock         none", "swept        never"}},
		"used":      {wire.Vault{Kind: "disk", Bytes: 1 << 29, Quota: 1 << 30}, []string{"512 MiB (536870912 bytes)", "1.0 GiB, 50.0 % used"}},
		"locked":    {wire.Vault{Kind: "s3", Locked: 1, Lock: &wire.VaultLock{Mode: "compliance", Days: 30}}, []string{"lock         compliance for 30 days; read back on 1 entry"}},
		"held":      {wire.Vault{Kind: "s3", Lock: &wire.VaultLock{LegalHold: true}}, []string{"lock         legal hold; read back on 0 entries"}},
		"both":      {wire.Vault{Kind: "s3", Lock: &wire.VaultLock{Mode: "governance", Days: 1, LegalHold: true}}, []string{"governance for 1 day, legal hold"}},
		"swept":     {wire.Vault{Swept: &wire.VaultLast{At: at, Orphans: 2, OrphanBytes: 5, Oldest: at.Add(-time.Hour), Locked: 1}}, []string{"2, 5 B (5 bytes); the oldest of 2026-11-27 11:00 UTC", "1 under a lock"}},
		"with rot":  {wire.Vault{Rotten: 3, Missing: 2}, []string{"rotten       3", "missing      2"}},
		"of nobody": {wire.Vault{Kind: "\x1b[2J", Bytes: -1}, []string{"size         0 B (-1 bytes)"}},
	} {
		var b bytes.Buffer
		if err := Vault(c.v, time.UTC)(&b); err != nil {
			t.Fatal(err)
		}
		for _, s := range c.says {
			if !strings.Contains(b.String(), s) {
				t.Errorf("%s does not say %q:\n%s", name, s, b.String())
			}
		}
		if strings.Contains(b.String(), "\x1b") {
			t.Errorf("%s acts on the terminal: %q", name, b.String())
		}
	}
}

func TestVaultSweepAndCheck(t *testing.T) {
	var b bytes.Buffer
	sweep := wire.VaultSweep{DryRun: true, Entries: 3, Orphans: 1, Due: []wire.VaultEntry{{Digest: "sha256:aa\x1b", Size: 6}}, Missing: []string{"sha256:bb"}, Locked: 1, Entered: 2}
	if err := VaultSweep(sweep, time.UTC)(&b); err != nil {
		t.Fatal(err)
	}
	if err := VaultCheck(wire.VaultCheck{Entries: 1, Rotten: []string{"sha256:cc\x1b"}, Unlocked: []string{"sha256:dd"}})(&b); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"DUE", "sha256:aa", "none: only looked", "locked       1", "entered      2", "missing      sha256:bb", "rotten    sha256:cc", "unlocked  sha256:dd", "1 entry read"} {
		if !strings.Contains(b.String(), s) {
			t.Errorf("it does not say %q:\n%s", s, b.String())
		}
	}
	if strings.Contains(b.String(), "failed") || strings.Contains(b.String(), "\x1b") {
		t.Errorf("%q", b.String())
	}
}
