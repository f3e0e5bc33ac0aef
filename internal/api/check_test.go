package api_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/wire"
)

// edited is the starter policy with a text replaced, in all of its files.
func edited(t *testing.T, from, to string) []wire.PolicyFile {
	t.Helper()
	var files []wire.PolicyFile
	found := false
	for _, f := range policy.Starter() {
		found = found || strings.Contains(string(f.Data), from)
		files = append(files, wire.PolicyFile{Name: f.Name, Data: strings.ReplaceAll(string(f.Data), from, to)})
	}
	if !found {
		t.Fatalf("the starter policy does not say %q", from)
	}
	return files
}

func problemOf(found wire.PolicyCheck, code string) wire.PolicyProblem {
	for _, p := range found.Problems {
		if p.Code == code {
			return p
		}
	}
	return wire.PolicyProblem{}
}

// unrecorded fails where the journal grows while fn runs.
func unrecorded(t *testing.T, h *house, fn func()) {
	t.Helper()
	size := func() uint64 {
		n, err := h.control.Journal.Size(t.Context())
		must(t, err)
		return n
	}
	before := size()
	fn()
	if after := size(); after != before {
		t.Errorf("the journal has %d facts, had %d", after, before)
	}
}

func TestCheckPolicy(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		manager := h.client(t, "manager")
		check := func(files []wire.PolicyFile, coverage bool) (found wire.PolicyCheck) {
			t.Helper()
			unrecorded(t, h, func() {
				var err error
				found, err = manager.CheckPolicy(t.Context(), wire.CheckRequest{Files: files, Coverage: coverage})
				must(t, err)
			})
			return found
		}
		sound := check(sources(policy.Starter()), true)
		if sound.Digest != policy.Digest(policy.Starter()) || len(sound.Tests) == 0 || slices.ContainsFunc(sound.Tests, func(r wire.PolicyTest) bool { return !r.Passed || r.Where.Line == 0 }) {
			t.Errorf("the starter policy: %s %+v", sound.Digest, sound.Tests)
		}
		if c := sound.Coverage; c == nil || c.Seen == 0 || c.Seen > c.Of || len(c.Gates) == 0 || len(c.Parts) == 0 || c.Gates[0].Where.File == "" {
			t.Errorf("coverage: %+v", c)
		}
		if p := problemOf(sound, "policy.mandatory-dropped"); p.Code != "" {
			t.Errorf("no service has a flag, and yet: %+v", p)
		}

		failing := check(candidate(t), false)
		i := slices.IndexFunc(failing.Tests, func(r wire.PolicyTest) bool { return strings.HasSuffix(r.Name, ": a critical finding") })
		if r := failing.Tests[max(i, 0)]; i < 0 || r.Passed || r.Want != "no-go" || r.Got != "go" || !strings.Contains(r.Why, "no-critical-findings") {
			t.Errorf("a policy that governs nothing stops a critical finding: %+v", r)
		}
		if failing.Coverage != nil {
			t.Error("coverage that nobody asked for")
		}

		broken := check(edited(t, "severity: warn", "severity: worn"), true)
		p := broken.Problems
		if len(p) == 0 || p[0].Severity != "error" || p[0].Where.Line == 0 || p[0].Code == "" || p[0].What == "" || p[0].Fix == "" || !strings.Contains(p[0].Excerpt, "worn") {
			t.Errorf("a broken policy: %+v", p)
		}
		if broken.Tests == nil || len(broken.Tests) != 0 || broken.Coverage != nil || broken.Digest == sound.Digest {
			t.Errorf("a broken policy has results: %+v", broken)
		}
		if nothing := check([]wire.PolicyFile{}, false); len(nothing.Problems) == 0 {
			t.Error("nothing is wrong with nothing")
		}
		_, err := h.client(t, "viewer").CheckPolicy(t.Context(), wire.CheckRequest{Files: candidate(t)})
		wants(t, err, fault.Forbidden, "access.missing-right")
	})
}

// What the catalog says decides what is wrong: flags of services, and who is in a group.
func TestCheckPolicyBesideTheCatalog(t *testing.T) {
	h := raise(t, sqlite(t))
	ctx, manager := t.Context(), h.client(t, "manager")
	check := func() wire.PolicyCheck {
		t.Helper()
		found, err := manager.CheckPolicy(ctx, wire.CheckRequest{Files: sources(policy.Starter())})
		must(t, err)
		return found
	}
	if p := problemOf(check(), "policy.mandatory-dropped"); p.Code != "" {
		t.Errorf("before the flag: %+v", p)
	}
	_, err := h.client(t, "administrator").ImportCatalog(ctx, "ledger.yaml", []byte("apiVersion: signalbox/v1\nkind: Team\nname: finance\n---\napiVersion: signalbox/v1\nkind: Service\nname: ledger\ntier: 0\nteam: finance\nflags: [icfr]\n"))
	must(t, err)
	found := check()
	if p := problemOf(found, "policy.mandatory-dropped"); p.Severity != "error" || !strings.Contains(p.Why, "ledger") {
		t.Errorf("a flag makes a control mandatory: %+v", found.Problems)
	}
	if p := problemOf(found, "policy.unsatisfiable-chain"); p.Code != "" {
		t.Errorf("before anybody left: %+v", p)
	}
	for _, who := range []string{"developer", "approver"} {
		_, err := h.client(t, "administrator").Depart(ctx, who, wire.Reasoned{Reason: "left"})
		must(t, err)
	}
	if p := problemOf(check(), "policy.unsatisfiable-chain"); p.Severity != "error" {
		t.Error("those who departed can still approve")
	}
}

func TestComparePolicy(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx, manager := t.Context(), h.client(t, "manager")
		same, err := manager.ComparePolicy(ctx, wire.DifferenceRequest{Files: edited(t, "kind: Policy", "kind: Policy # the same")})
		must(t, err)
		if len(same.Changes) != 0 || same.From == same.To || same.From != policy.Digest(policy.Starter()) {
			t.Errorf("a comment changes %+v", same)
		}
		unrecorded(t, h, func() {
			found, err := manager.ComparePolicy(ctx, wire.DifferenceRequest{Files: edited(t, "line_rate: 0.7", "line_rate: 0.85")})
			must(t, err)
			if len(found.Changes) == 0 {
				t.Fatal("a threshold changes nothing")
			}
			for _, c := range found.Changes {
				if c.Who == "" || c.Mark != "tightened" || !strings.Contains(c.Text, "0.85 instead of 0.7") {
					t.Errorf("a higher threshold: %+v", c)
				}
			}
		})
		_, err = manager.ComparePolicy(ctx, wire.DifferenceRequest{Files: edited(t, "severity: warn", "severity: worn")})
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("a broken policy: %v", err)
		}
		_, err = h.client(t, "viewer").ComparePolicy(ctx, wire.DifferenceRequest{Files: candidate(t)})
		wants(t, err, fault.Forbidden, "access.missing-right")
		_, err = manager.DeactivatePolicy(ctx, wire.Reasoned{Reason: "wrong"})
		must(t, err)
		_, err = manager.ComparePolicy(ctx, wire.DifferenceRequest{Files: candidate(t)})
		wants(t, err, fault.Conflict, "policy.inactive")
	})
}

func TestDocumentPolicy(t *testing.T) {
	h := raise(t, sqlite(t))
	ctx, manager, viewer := t.Context(), h.client(t, "manager"), h.client(t, "viewer")
	unrecorded(t, h, func() {
		d, err := viewer.DocumentPolicy(ctx, wire.DocumentRequest{})
		must(t, err)
		if d.Digest != policy.Digest(policy.Starter()) || d.Format != "md" || !strings.HasPrefix(d.Text, "# Release policy") || !strings.Contains(d.Text, d.Digest) {
			t.Errorf("the one in force: %+v", d)
		}
		words, err := viewer.DocumentPolicy(ctx, wire.DocumentRequest{Explain: true, Name: "no-critical-findings", Format: "text"})
		if err != nil || !strings.Contains(words.Text, "the number of critical findings is 0") || strings.Contains(words.Text, "tests-pass") {
			t.Errorf("explained: %q %v", words.Text, err)
		}
		for _, q := range []wire.DocumentRequest{{Name: "no-critical-findings"}, {Explain: true, Name: "nothing"}} {
			if _, err := viewer.DocumentPolicy(ctx, q); fault.KindOf(err) != fault.NotFound {
				t.Errorf("%+v: %v", q, err)
			}
		}
		plain, err := viewer.DocumentPolicy(ctx, wire.DocumentRequest{Format: "text"})
		must(t, err)
		if plain.Format != "text" || !strings.HasPrefix(plain.Text, plain.Title) || strings.Contains(plain.Text, "|---|") {
			t.Errorf("as text: %+v", plain)
		}
		other, err := manager.DocumentPolicy(ctx, wire.DocumentRequest{Files: edited(t, "line_rate: 0.7", "line_rate: 0.85")})
		must(t, err)
		if other.Digest == d.Digest || !strings.Contains(other.Text, "0.85") || strings.Contains(d.Text, "0.85") {
			t.Errorf("the one sent: %s", other.Text)
		}
	})
	_, err := viewer.DocumentPolicy(ctx, wire.DocumentRequest{Format: "doc"})
	wants(t, err, fault.Invalid, "policy.format")
	_, err = viewer.DocumentPolicy(ctx, wire.DocumentRequest{Format: "pdf"})
	wants(t, err, fault.Invalid, "client.format")
	_, err = viewer.DocumentPolicy(ctx, wire.DocumentRequest{Files: candidate(t)})
	wants(t, err, fault.Forbidden, "access.missing-right")
	for name, files := range map[string][]wire.PolicyFile{"broken": edited(t, "severity: warn", "severity: worn"), "empty": {}} {
		if d, err := manager.DocumentPolicy(ctx, wire.DocumentRequest{Files: files}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v %+v", name, err, d)
		}
	}
	_, err = manager.DeactivatePolicy(ctx, wire.Reasoned{Reason: "wrong"})
	must(t, err)
	_, err = viewer.DocumentPolicy(ctx, wire.DocumentRequest{})
	wants(t, err, fault.Conflict, "policy.inactive")
}

// A PDF is the answer itself, a file to keep; why there is none is a problem document.
func TestDocumentPolicyAsPDF(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx, manager, viewer := t.Context(), h.client(t, "manager"), h.client(t, "viewer")
		unrecorded(t, h, func() {
			file, err := viewer.DocumentPDF(ctx, wire.DocumentRequest{})
			must(t, err)
			again, err := viewer.DocumentPDF(ctx, wire.DocumentRequest{})
			must(t, err)
			words, err := viewer.DocumentPDF(ctx, wire.DocumentRequest{Explain: true})
			must(t, err)
			other, err := manager.DocumentPDF(ctx, wire.DocumentRequest{Files: edited(t, "line_rate: 0.7", "line_rate: 0.85")})
			must(t, err)
			for name, b := range map[string][]byte{"in force": file, "explained": words, "sent": other} {
				if !bytes.HasPrefix(b, []byte("%PDF-")) || !bytes.HasSuffix(bytes.TrimSpace(b), []byte("%%EOF")) || len(b) < 3000 {
					t.Errorf("%s: %d bytes, %.20q", name, len(b), b)
				}
			}
			if !bytes.Equal(file, again) || bytes.Equal(file, other) || bytes.Equal(file, words) {
				t.Error("the same policy is another file, or another policy the same")
			}
		})
		whole := h.send(t, message{method: "POST", path: wire.Prefix + "/policy/documents", body: `{"format":"pdf"}`, as: "viewer"})
		if whole.status != 200 || whole.header.Get("Content-Type") != wire.PDF || whole.header.Get("Content-Disposition") != `attachment; filename="policy.pdf"` {
			t.Errorf("%d %v", whole.status, whole.header)
		}
		_, err := viewer.DocumentPDF(ctx, wire.DocumentRequest{Files: candidate(t)})
		wants(t, err, fault.Forbidden, "access.missing-right")
		_, err = manager.DocumentPDF(ctx, wire.DocumentRequest{Files: edited(t, "severity: warn", "severity: worn")})
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("a broken policy: %v", err)
		}
		_, err = manager.DeactivatePolicy(ctx, wire.Reasoned{Reason: "wrong"})
		must(t, err)
		_, err = viewer.DocumentPDF(ctx, wire.DocumentRequest{})
		wants(t, err, fault.Conflict, "policy.inactive")
	})
}

func TestFormatPolicy(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx, manager := t.Context(), h.client(t, "manager")
		unrecorded(t, h, func() {
			loose := edited(t, "severity: warn", "severity:   warn # for now")
			laid, err := manager.FormatPolicy(ctx, wire.LayoutRequest{Files: loose})
			must(t, err)
			var changed []string
			for i, f := range laid.Files {
				if f.Name != loose[i].Name || strings.Contains(f.Data, "severity:   warn") {
					t.Errorf("%s became %s: %s", loose[i].Name, f.Name, f.Data)
				}
				if f.Data != loose[i].Data {
					changed = append(changed, f.Name)
				}
			}
			if len(laid.Files) != len(loose) || len(changed) == 0 || len(changed) == len(loose) || !slices.Equal(changed, laid.Changed) {
				t.Errorf("%v changed, said are %v", changed, laid.Changed)
			}
			again, err := manager.FormatPolicy(ctx, wire.LayoutRequest{Files: laid.Files})
			must(t, err)
			if again.Changed == nil || len(again.Changed) > 0 {
				t.Errorf("again: %v", again.Changed)
			}
			same, err := manager.ComparePolicy(ctx, wire.DifferenceRequest{Files: laid.Files})
			must(t, err)
			if len(same.Changes) > 0 {
				t.Errorf("the layout changes %v", same.Changes)
			}
			if odd, err := manager.FormatPolicy(ctx, wire.LayoutRequest{Files: edited(t, "severity: warn", "severity: worn")}); err != nil || len(odd.Changed) > 0 {
				t.Errorf("what does not compile can be laid out all the same: %v %v", odd.Changed, err)
			}
		})
		_, err := manager.FormatPolicy(ctx, wire.LayoutRequest{Files: []wire.PolicyFile{{Name: "b.yaml", Data: "a: ["}, {Name: "a.yaml", Data: "kind: Gate\nname: x\nname: y\n"}}})
		wants(t, err, fault.Invalid, "policy.duplicate-field")
		var several *wire.Several
		if !errors.As(err, &several) || len(several.All) != 2 || several.All[0].Where != (wire.Place{File: "a.yaml", Line: 3, Column: 1}) || several.All[1].Where.File != "b.yaml" || several.All[1].Fix == "" {
			t.Errorf("each file that cannot be read is told of: %v", err)
		}
		_, err = h.client(t, "viewer").FormatPolicy(ctx, wire.LayoutRequest{Files: candidate(t)})
		wants(t, err, fault.Forbidden, "access.missing-right")
	})
}

func sources(bundle []policy.File) []wire.PolicyFile {
	var files []wire.PolicyFile
	for _, f := range bundle {
		files = append(files, wire.PolicyFile{Name: f.Name, Data: string(f.Data)})
	}
	return files
}
