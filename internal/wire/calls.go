package wire

import (
	"context"
	"encoding/json"
	"io"
	"net/url"
	"strconv"
)

func id(path, id, rest string) string { return path + "/" + url.PathEscape(id) + rest }

// values is a query of names and values in turn; empty values are left out.
func values(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func (p Paging) on(q url.Values) url.Values {
	for name, v := range map[string]string{"cursor": p.Cursor, "limit": number(p.Limit)} {
		if v != "" {
			q.Set(name, v)
		}
	}
	return q
}

// Ask asks the gate.
func (c *Client) Ask(ctx context.Context, q GateRequest) (Answer, error) {
	return send[Answer](ctx, c, "/gate", q)
}

// Decisions lists decisions, newest first.
func (c *Client) Decisions(ctx context.Context, f DecisionFilter) (Page[DecisionSummary], error) {
	q := values("service", f.Service, "environment", f.Environment, "verdict", f.Verdict)
	return ask[Page[DecisionSummary]](ctx, c, get("/decisions", f.on(q)))
}

// Decision is a recorded decision.
func (c *Client) Decision(ctx context.Context, decision string) (RecordedDecision, error) {
	return ask[RecordedDecision](ctx, c, get(id("/decisions", decision, ""), nil))
}

// Basis is what a decision rested on, as canonical JSON.
func (c *Client) Basis(ctx context.Context, decision string) (json.RawMessage, error) {
	b, err := c.bytes(ctx, get(id("/decisions", decision, "/basis"), nil))
	return b, err
}

// OpenRelease opens a release, or answers the one that stands.
func (c *Client) OpenRelease(ctx context.Context, q ReleaseRequest) (Release, error) {
	return send[Release](ctx, c, "/releases", q)
}

// Releases lists releases, newest first.
func (c *Client) Releases(ctx context.Context, f ReleaseFilter) (Page[ReleaseSummary], error) {
	return ask[Page[ReleaseSummary]](ctx, c, get("/releases", f.on(values("service", f.Service))))
}

// Release is a release as it stands.
func (c *Client) Release(ctx context.Context, release string) (Release, error) {
	return ask[Release](ctx, c, get(id("/releases", release, ""), nil))
}

// ReviseRelease declares size or change type anew.
func (c *Client) ReviseRelease(ctx context.Context, release string, q ReviseRequest) (Done, error) {
	return send[Done](ctx, c, id("/releases", release, "/revisions"), q)
}

// AttachChange says what the release contains.
func (c *Client) AttachChange(ctx context.Context, release string, ch Change) (Done, error) {
	return send[Done](ctx, c, id("/releases", release, "/change"), ch)
}

// ReadChange has the server read what the release contains.
func (c *Client) ReadChange(ctx context.Context, release string, q ReadChangeRequest) (Change, error) {
	return send[Change](ctx, c, id("/releases", release, "/change/read"), q)
}

// InspectChange has the server describe a change; nothing is recorded.
func (c *Client) InspectChange(ctx context.Context, q InspectChangeRequest) (Change, error) {
	return send[Change](ctx, c, "/change/inspections", q)
}

// MoveRelease takes the release to another phase by hand.
func (c *Client) MoveRelease(ctx context.Context, release string, q MoveRequest) (Done, error) {
	return send[Done](ctx, c, id("/releases", release, "/moves"), q)
}

// Preview is what an approver would vote on.
func (c *Client) Preview(ctx context.Context, release, environment string) (Preview, error) {
	return ask[Preview](ctx, c, get(id("/releases", release, "/preview"), values("environment", environment)))
}

// Vote approves or rejects.
func (c *Client) Vote(ctx context.Context, release string, q VoteRequest) (Done, error) {
	return send[Done](ctx, c, id("/releases", release, "/votes"), q)
}

// Unvote withdraws one's own vote.
func (c *Client) Unvote(ctx context.Context, release string, q UnvoteRequest) (Done, error) {
	return send[Done](ctx, c, id("/releases", release, "/votes/withdraw"), q)
}

// Evidence is the claims that stand about an artifact.
func (c *Client) Evidence(ctx context.Context, digest string) (Artifact, error) {
	return ask[Artifact](ctx, c, get("/evidence", values("digest", digest)))
}

// EvidenceOf is the claims that stand about the artifacts of a version.
func (c *Client) EvidenceOf(ctx context.Context, service, version string) (Artifact, error) {
	return ask[Artifact](ctx, c, get("/evidence", values("service", service, "version", version)))
}

// ShowClaim is a claim that stands, with the findings that its report lists.
func (c *Client) ShowClaim(ctx context.Context, digest, claim string) (ClaimDetail, error) {
	return ask[ClaimDetail](ctx, c, get(id("/evidence", claim, ""), values("digest", digest)))
}

// Original writes the report that a claim was read from, byte for byte.
func (c *Client) Original(ctx context.Context, digest, claim string, w io.Writer) error {
	q := get(id("/evidence", claim, "/original"), values("digest", digest))
	q.accept, q.limit = "application/octet-stream", uploadTime
	return c.do(ctx, q, func(r io.Reader) error { return bring(w, r) })
}

// CompareEvidence is how the claims about two versions of a service differ.
func (c *Client) CompareEvidence(ctx context.Context, service, from, to string) (EvidenceDiff, error) {
	return ask[EvidenceDiff](ctx, c, get("/evidence/compare", values("service", service, "from", from, "to", to)))
}

// DeclareFreeze declares a freeze.
func (c *Client) DeclareFreeze(ctx context.Context, q FreezeRequest) (Freeze, error) {
	return send[Freeze](ctx, c, "/freezes", q)
}

// LiftFreeze ends a freeze, named by name or id.
func (c *Client) LiftFreeze(ctx context.Context, name string, q Reasoned) (Freeze, error) {
	return send[Freeze](ctx, c, id("/freezes", name, "/lift"), q)
}

// Freezes lists the freezes that stand or are to come; with all also those that are over.
func (c *Client) Freezes(ctx context.Context, all bool, p Paging) (Page[Freeze], error) {
	q := url.Values{}
	if all {
		q.Set("all", "true")
	}
	return ask[Page[Freeze]](ctx, c, get("/freezes", p.on(q)))
}

// PullStop stops all releases.
func (c *Client) PullStop(ctx context.Context, q Reasoned) (Stop, error) {
	return send[Stop](ctx, c, "/stop/pull", q)
}

// ResetStop agrees that releases may go on; the second person's agreement lets them.
func (c *Client) ResetStop(ctx context.Context, q Reasoned) (Stop, error) {
	return send[Stop](ctx, c, "/stop/reset", q)
}

// RotateKey ends the key of a purpose and begins another.
func (c *Client) RotateKey(ctx context.Context, q RotateRequest) (Rotation, error) {
	return send[Rotation](ctx, c, "/keys/rotate", q)
}

// Stop is how the stop switch stands.
func (c *Client) Stop(ctx context.Context) (Stop, error) {
	return ask[Stop](ctx, c, get("/stop", nil))
}

// RecallPermits takes back every permit that rests on a policy, an issuer or an approver.
func (c *Client) RecallPermits(ctx context.Context, q RecallRequest) (Recalled, error) {
	return send[Recalled](ctx, c, "/permits/recall", q)
}

// Permits lists the permits that rest on something, newest first.
func (c *Client) Permits(ctx context.Context, f PermitFilter) (Page[PermitState], error) {
	return ask[Page[PermitState]](ctx, c, get("/permits", f.on(values("policy", f.Policy, "issuer", f.Issuer, "approver", f.Approver))))
}

// ActivatePolicy activates a bundle.
func (c *Client) ActivatePolicy(ctx context.Context, q PolicyRequest) (Activation, error) {
	return send[Activation](ctx, c, "/policy/activations", q)
}

// DeactivatePolicy puts the bundle in force out of force.
func (c *Client) DeactivatePolicy(ctx context.Context, q Reasoned) (Activation, error) {
	return send[Activation](ctx, c, "/policy/deactivations", q)
}

// Policy is the bundle in force.
func (c *Client) Policy(ctx context.Context) (Policy, error) {
	return ask[Policy](ctx, c, get("/policy", nil))
}

// PolicyFiles is the sources of the bundle in force.
func (c *Client) PolicyFiles(ctx context.Context) (PolicyFiles, error) {
	return ask[PolicyFiles](ctx, c, get("/policy/files", nil))
}

// PolicyHistory lists activations and deactivations, newest first.
func (c *Client) PolicyHistory(ctx context.Context, p Paging) (Page[Activation], error) {
	return ask[Page[Activation]](ctx, c, get("/policy/history", p.on(url.Values{})))
}

// ImportCatalog describes what a file of YAML documents names; file is its name, for messages.
func (c *Client) ImportCatalog(ctx context.Context, file string, data []byte) (Imported, error) {
	q, err := post("/catalog/imports", nil)
	q.query, q.body, q.mime = values("file", file), data, "application/yaml"
	if err != nil {
		return Imported{}, err
	}
	return ask[Imported](ctx, c, q)
}

// Services lists services by name.
func (c *Client) Services(ctx context.Context, p Paging) (Page[Service], error) {
	return ask[Page[Service]](ctx, c, get("/services", p.on(url.Values{})))
}

// Environments lists environments by name.
func (c *Client) Environments(ctx context.Context, p Paging) (Page[Environment], error) {
	return ask[Page[Environment]](ctx, c, get("/environments", p.on(url.Values{})))
}

// People lists persons by id.
func (c *Client) People(ctx context.Context, p Paging) (Page[Person], error) {
	return ask[Page[Person]](ctx, c, get("/people", p.on(url.Values{})))
}

// Machines lists machines by name.
func (c *Client) Machines(ctx context.Context, p Paging) (Page[Machine], error) {
	return ask[Page[Machine]](ctx, c, get("/machines", p.on(url.Values{})))
}
