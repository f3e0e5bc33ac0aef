package api

import (
	"io"
	"net/http"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/wire"
)

func (a *api) evidence() []operation {
	return []operation{
		send(operation{
			id: "add-evidence", path: "/evidence", need: access.Evidence, about: "Add a report of any format that is read, at most 200 MiB",
			takes: "application/octet-stream", limit: control.MaxReport + 1, lasting: true,
			params: append(needed("service", "version", "digest"), text("label")...),
		}, addEvidence),
		ask(operation{
			id: "show-evidence", path: "/evidence", need: access.Read, params: text("digest", "service", "version"),
			about: "The claims that stand about an artifact, or about the artifacts of a version",
		}, showEvidence),
		ask(operation{id: "compare-evidence", path: "/evidence/compare", need: access.Read, params: needed("service", "from", "to"), about: "How the claims about two versions of a service differ"}, compareEvidence),
		ask(operation{id: "show-claim", path: "/evidence/{claim}", need: access.Read, params: needed("digest"), about: "A claim that stands, with the findings that its report lists"}, showClaim),
		serve(operation{
			id: "show-original", path: "/evidence/{claim}/original", need: access.Read, params: needed("digest"), gives: "application/octet-stream", lasting: true,
			about: "The report that a claim was read from, byte for byte",
		}, showOriginal),
	}
}

func addEvidence(c *call) (wire.Claim, error) {
	q := control.EvidenceRequest{Service: c.text("service"), Version: c.text("version"), Digest: c.text("digest"), Label: c.text("label")}
	if c.r.ContentLength < 0 || c.r.ContentLength > jsonBytes {
		done, err := c.heavy()
		if err != nil {
			return wire.Claim{}, err
		}
		defer done()
	}
	added, err := c.Control.AddEvidence(c.ctx, c.request(), q, c.r.Body)
	if err != nil {
		return wire.Claim{}, err
	}
	said, err := c.Control.Attested(c.ctx, evidence.Artifact{Digest: added.Digest, Claims: []evidence.Added{added}})
	return attested(added, said), err
}

func showEvidence(c *call) (wire.Artifact, error) {
	var stands evidence.Artifact
	var err error
	switch digest, service, version := c.text("digest"), c.text("service"), c.text("version"); {
	case digest != "" && service == "" && version == "":
		if stands, err = c.Control.Evidence(c.ctx, digest); stands.Digest == "" {
			stands.Digest = digest
		}
	case digest == "" && service != "" && version != "":
		stands, err = c.Control.EvidenceOf(c.ctx, service, version)
	default:
		err = fault.Invalidf("evidence.of-what", "evidence is asked for by digest, or by service and version").Remedy("give digest alone, or service and version alone")
	}
	if err != nil {
		return wire.Artifact{}, err
	}
	said, err := c.Control.Attested(c.ctx, stands)
	w := wire.Artifact{Digest: stands.Digest, Claims: []wire.Claim{}}
	for _, added := range stands.Claims {
		w.Claims = append(w.Claims, attested(added, said))
	}
	return w, err
}

func showClaim(c *call) (wire.ClaimDetail, error) {
	done, err := c.heavy()
	if err != nil {
		return wire.ClaimDetail{}, err
	}
	defer done()
	added, err := c.Control.Claim(c.ctx, c.text("digest"), c.path("claim"))
	if err != nil {
		return wire.ClaimDetail{}, err
	}
	said, err := c.Control.Attested(c.ctx, evidence.Artifact{Digest: added.Digest, Claims: []evidence.Added{added}})
	w := wire.ClaimDetail{Claim: attested(added, said), Items: []wire.Finding{}}
	if f := added.Claim.Findings; f != nil {
		w.Items, w.Omitted = wireFindings(f.Items), f.Omitted
	}
	return w, err
}

func showOriginal(c *call) error {
	added, from, err := c.Control.Original(c.ctx, c.text("digest"), c.path("claim"))
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	c.w.Header().Set("Content-Type", "application/octet-stream")
	c.w.Header().Set("Content-Disposition", `attachment; filename="`+strings.TrimPrefix(added.File, "sha256:")+`"`)
	out := &begun{ResponseWriter: c.w}
	if _, err = io.Copy(out, from); err != nil && out.yes {
		c.Log.Error("an original was cut off", "reference", idOf(c.ctx), "error", err)
		panic(http.ErrAbortHandler)
	}
	return err
}

func compareEvidence(c *call) (wire.EvidenceDiff, error) {
	done, err := c.heavy()
	if err != nil {
		return wire.EvidenceDiff{}, err
	}
	defer done()
	d, err := c.Control.CompareEvidence(c.ctx, c.text("service"), c.text("from"), c.text("to"))
	return wire.EvidenceDiff{
		Service: c.text("service"), From: wireSums(d.From, c.text("from"), d.Now), To: wireSums(d.To, c.text("to"), d.Now),
		Findings: wire.FindingsCompared{
			Appeared: wireFindings(d.Findings.Appeared), Gone: wireFindings(d.Findings.Gone), Stayed: d.Findings.Stayed, Omitted: d.Findings.Omitted,
		},
		Notes: append([]string{}, d.Notes...),
	}, err
}

func wireFindings(list []evidence.Finding) []wire.Finding {
	all := []wire.Finding{}
	for _, f := range list {
		all = append(all, wire.Finding{
			Rule: f.Rule, Severity: string(f.Severity), Scale: f.Scale, Location: f.Location, Package: f.Package, Version: f.Version, PURL: f.PURL,
			Fixed: f.Fixed, Identifiers: append([]string{}, f.Identifiers...), Message: f.Message, Suppressed: f.Suppressed, Why: f.Why,
		})
	}
	return all
}

func wireSums(a evidence.Artifact, version string, now time.Time) wire.EvidenceSums {
	f, t, v := a.Summary(now)
	w := wire.EvidenceSums{Version: version}
	if f.Known {
		w.Findings = &wire.Findings{Total: f.Total, Suppressed: f.Suppressed, Critical: f.Critical, High: f.High, Medium: f.Medium, Low: f.Low, Info: f.Info, Unrated: f.Unrated}
	}
	if t.Known {
		w.Tests = &wire.Tests{Total: t.Total, Passed: t.Passed, Failed: t.Failed, Errored: t.Errored, Skipped: t.Skipped}
	}
	if v.Known {
		w.Coverage = &wire.Coverage{LineRate: v.LineRate, LinesCovered: v.LinesCovered, LinesValid: v.LinesValid}
		if v.BranchKnown {
			w.Coverage.BranchRate = &v.BranchRate
		}
	}
	if l := a.Load(now); l.Known {
		w.Load = &wire.Load{Requests: l.Requests, ErrorRate: l.ErrorRate, P50: l.P50, P95: l.P95, P99: l.P99, Mean: l.Mean, ThresholdsSet: l.Set, ThresholdsFailed: l.Failed}
	}
	return w
}
