package wire

import (
	"context"
	"io"
	"net/url"
	"strconv"
	"time"
)

// AddEvidence sends a report; it is read from its beginning at every try.
func (c *Client) AddEvidence(ctx context.Context, t EvidenceTarget, report io.ReadSeeker) (Claim, error) {
	q, err := post("/evidence", nil)
	if err != nil {
		return Claim{}, err
	}
	q.query = values("service", t.Service, "version", t.Version, "digest", t.Digest, "label", t.Label)
	q.from, q.mime, q.limit = report, "application/octet-stream", uploadTime
	return ask[Claim](ctx, c, q)
}

// StartDeployment reports that a deployment begins, and redeems its permit.
func (c *Client) StartDeployment(ctx context.Context, q StartRequest) (Deployment, error) {
	return send[Deployment](ctx, c, "/deployments", q)
}

// FinishDeployment reports that a deployment ended well.
func (c *Client) FinishDeployment(ctx context.Context, deployment string) (Deployment, error) {
	return send[Deployment](ctx, c, id("/deployments", deployment, "/finish"), nil)
}

// FailDeployment reports that a deployment failed.
func (c *Client) FailDeployment(ctx context.Context, deployment string, q FailRequest) (Deployment, error) {
	return send[Deployment](ctx, c, id("/deployments", deployment, "/fail"), q)
}

// EndDeployment reports how the deployment under way of a version ended.
func (c *Client) EndDeployment(ctx context.Context, q EndRequest) (Deployment, error) {
	return send[Deployment](ctx, c, "/deployments/end", q)
}

// Deployments lists deployments, newest first.
func (c *Client) Deployments(ctx context.Context, f DeploymentFilter) (Page[Deployment], error) {
	q := values("environment", f.Environment, "service", f.Service)
	if f.Unauthorised {
		q.Set("unauthorised", "true")
	}
	return ask[Page[Deployment]](ctx, c, get("/deployments", f.on(q)))
}

// Permit is a permit as it stands, with its envelope.
func (c *Client) Permit(ctx context.Context, permit string) (PermitState, error) {
	return ask[PermitState](ctx, c, get(id("/permits", permit, ""), nil))
}

// RecallPermit takes a permit back before it is redeemed.
func (c *Client) RecallPermit(ctx context.Context, permit string, q Reasoned) (Done, error) {
	return send[Done](ctx, c, id("/permits", permit, "/recall"), q)
}

// IssueToken issues a token; its secret is in the answer and nowhere else.
func (c *Client) IssueToken(ctx context.Context, q TokenRequest) (IssuedToken, error) {
	return send[IssuedToken](ctx, c, "/tokens", q)
}

// Tokens lists one's own tokens, newest first, or with the right to grant everybody's.
func (c *Client) Tokens(ctx context.Context, p Paging) (Page[Token], error) {
	return ask[Page[Token]](ctx, c, get("/tokens", p.on(url.Values{})))
}

// RevokeToken ends a token.
func (c *Client) RevokeToken(ctx context.Context, token string, q Reasoned) (Done, error) {
	return send[Done](ctx, c, id("/tokens", token, "/revoke"), q)
}

// GrantRole gives a person or machine a role.
func (c *Client) GrantRole(ctx context.Context, q RoleRequest) (Done, error) {
	return send[Done](ctx, c, "/roles/grant", q)
}

// RevokeRole takes a role.
func (c *Client) RevokeRole(ctx context.Context, q RoleRequest) (Done, error) {
	return send[Done](ctx, c, "/roles/revoke", q)
}

// Depart ends all of a person's rights.
func (c *Client) Depart(ctx context.Context, handle string, q Reasoned) (Done, error) {
	return send[Done](ctx, c, id("/people", handle, "/depart"), q)
}

// Me is who the token speaks for.
func (c *Client) Me(ctx context.Context) (Me, error) { return ask[Me](ctx, c, get("/me", nil)) }

// OfferSignIn issues a one-time code that opens a browser session: /signin?code=SECRET.
func (c *Client) OfferSignIn(ctx context.Context) (IssuedToken, error) {
	return send[IssuedToken](ctx, c, "/signin-offers", nil)
}

// Setup makes the first administrator and answers his or her first token.
func (c *Client) Setup(ctx context.Context, q SetupRequest) (IssuedToken, error) {
	return send[IssuedToken](ctx, c, "/setup", q)
}

// Keys is the public keys, as text, for verification offline.
func (c *Client) Keys(ctx context.Context) ([]byte, error) {
	return c.bytes(ctx, get("/keys", nil))
}

// Checkpoint is the newest signed note of the journal.
func (c *Client) Checkpoint(ctx context.Context) ([]byte, error) {
	return c.bytes(ctx, get("/journal/checkpoint", nil))
}

// Receipt is the signed receipt of the command that recorded the fact at a position.
func (c *Client) Receipt(ctx context.Context, position uint64) ([]byte, error) {
	return c.bytes(ctx, get("/journal/receipt", values("position", strconv.FormatUint(position, 10))))
}

// Proof shows that the fact at a position stands in the tree of a size; size 0 is the newest checkpoint's.
func (c *Client) Proof(ctx context.Context, position, size uint64) (Proof, error) {
	q := values("position", strconv.FormatUint(position, 10))
	if size > 0 {
		q.Set("size", strconv.FormatUint(size, 10))
	}
	return ask[Proof](ctx, c, get("/journal/proof", q))
}

// Consistency shows that the tree of size to continues the one of size from.
func (c *Client) Consistency(ctx context.Context, from, to uint64) (Consistency, error) {
	q := values("from", strconv.FormatUint(from, 10), "to", strconv.FormatUint(to, 10))
	return ask[Consistency](ctx, c, get("/journal/consistency", q))
}

// Export writes the whole journal to w. It is not tried again: what was
// written stays. Check it with verify.Export, which tells one that was cut off.
func (c *Client) Export(ctx context.Context, w io.Writer) error {
	q := get("/journal/export", nil)
	q.limit = 24 * time.Hour
	_, err := c.once(ctx, q, func(r io.Reader) error { return bring(w, r) })
	return err
}

// Facts is a page of the audit trail from a position on.
func (c *Client) Facts(ctx context.Context, from uint64, limit int) (Facts, error) {
	return ask[Facts](ctx, c, get("/facts", values("from", strconv.FormatUint(from, 10), "limit", number(limit))))
}

// Ready says whether the server can do its work; an answer that it cannot is no error.
func (c *Client) Ready(ctx context.Context) (Readiness, error) {
	return ask[Readiness](ctx, c, call{method: "GET", path: "/readyz", query: url.Values{"always": {"200"}}})
}

// Version says which build answers.
func (c *Client) Version(ctx context.Context) (Version, error) {
	return ask[Version](ctx, c, call{method: "GET", path: "/version"})
}
