package wire

import (
	"encoding/json"
	"time"
)

// StartRequest reports that a deployment begins.
type StartRequest struct {
	Service     string          `json:"service"`
	Version     string          `json:"version"`
	Digest      string          `json:"digest"`
	Environment string          `json:"environment"`
	Permit      json.RawMessage `json:"permit,omitempty" doc:"DSSE envelope; without one the deployment is unauthorised"`
	Run         string          `json:"run,omitempty" doc:"The pipeline's own reference, such as a URL"`
}

// FailRequest reports that a deployment failed.
type FailRequest struct {
	Reached string `json:"reached,omitempty" doc:"none, some or all; some where nobody knows"`
	Reason  string `json:"reason,omitempty"`
}

// EndRequest reports how the deployment under way of a version ended.
type EndRequest struct {
	Service     string `json:"service"`
	Version     string `json:"version"`
	Digest      string `json:"digest,omitempty"`
	Environment string `json:"environment"`
	Failed      bool   `json:"failed,omitempty"`
	Reached     string `json:"reached,omitempty" doc:"none, some or all; of a failed one"`
	Reason      string `json:"reason,omitempty"`
}

// Deployment is what a pipeline reported, matched to its permit.
type Deployment struct {
	ID          string    `json:"id"`
	Release     string    `json:"release,omitempty"`
	Service     string    `json:"service"`
	Version     string    `json:"version"`
	Digest      string    `json:"digest"`
	Environment string    `json:"environment"`
	Permit      string    `json:"permit,omitempty"`
	Authorised  bool      `json:"authorised"`
	Code        string    `json:"code,omitempty" doc:"Why it is an unauthorised deployment"`
	Provenance  string    `json:"provenance"`
	Run         string    `json:"run,omitempty"`
	Status      string    `json:"status" enum:"started,finished,failed"`
	Reached     string    `json:"reached,omitempty"`
	Started     time.Time `json:"started"`
	Ended       time.Time `json:"ended,omitzero"`
}

// DeploymentFilter selects deployments.
type DeploymentFilter struct {
	Environment, Service string
	Unauthorised         bool // only those without a permit that holds
	Paging
}

// PermitState is a deployment permit as it stands.
type PermitState struct {
	ID          string          `json:"id"`
	Release     string          `json:"release"`
	Decision    string          `json:"decision"`
	Service     string          `json:"service"`
	Version     string          `json:"version"`
	Digest      string          `json:"digest"`
	Environment string          `json:"environment"`
	NotBefore   time.Time       `json:"not_before"`
	NotAfter    time.Time       `json:"not_after" doc:"The first instant at which it no longer holds"`
	State       string          `json:"state" enum:"issued,redeemed,recalled,expired"`
	Redeemed    time.Time       `json:"redeemed,omitzero"`
	Recalled    time.Time       `json:"recalled,omitzero"`
	Deployment  string          `json:"deployment,omitempty"`
	Envelope    json.RawMessage `json:"envelope,omitempty" doc:"DSSE envelope"`
}

// RotateRequest asks that a new key take the place of an old one.
type RotateRequest struct {
	Purpose     string `json:"purpose" enum:"journal,permit" doc:"What the key signs"`
	Reason      string `json:"reason" doc:"Why; kept as a private field of the fact"`
	Compromised bool   `json:"compromised,omitempty" doc:"Another may have the old key: whoever verifies is told"`
	DeleteOld   bool   `json:"delete_old,omitempty" doc:"Delete the old private key; unless set, it is kept and signs nothing more"`
}

// Rotation is a key that took the place of another.
type Rotation struct {
	Purpose     string    `json:"purpose" enum:"journal,permit"`
	Old         string    `json:"old" doc:"name+hash+base64"`
	New         string    `json:"new" doc:"name+hash+base64"`
	At          time.Time `json:"at"`
	Compromised bool      `json:"compromised,omitempty"`
}

// Stop is how the stop switch stands.
type Stop struct {
	Stopped bool        `json:"stopped" doc:"While it is true no gate answers go and no permit is redeemed"`
	ID      string      `json:"id,omitempty"`
	Since   time.Time   `json:"since,omitzero"`
	By      string      `json:"by,omitempty"`
	ByName  string      `json:"by_name,omitempty"`
	Reason  string      `json:"reason,omitempty"`
	Agreed  []Agreement `json:"agreed" doc:"Who has agreed to a reset, within the last hour; it takes two persons"`
}

// Agreement is a person's word that releases may go on.
type Agreement struct {
	Person string    `json:"person"`
	Name   string    `json:"name,omitempty"`
	At     time.Time `json:"at"`
}

// RecallRequest takes back every permit that rests on a policy, an issuer or an
// approver; exactly one is given.
type RecallRequest struct {
	Policy   string `json:"policy,omitempty" doc:"Digest of the bundle, or active for the one in force"`
	Issuer   string `json:"issuer,omitempty" doc:"Whose word was taken: the name of a machine, attestor/NAME, or a subject such as person/ID"`
	Approver string `json:"approver,omitempty" doc:"Handle, e-mail address or id of a person who approved"`
	Reason   string `json:"reason"`
}

// Recalled is what a recall took in.
type Recalled struct {
	Basis string `json:"basis" doc:"What the permits rest on"`
	Live  int    `json:"live" doc:"Permits neither redeemed nor over; those that an earlier recall took in are among them"`
	Given int    `json:"given" doc:"Permits ever given on this basis: list-permits lists them, with what became of each"`
}

// PermitFilter selects permits by what they rest on; exactly one of the three is given.
type PermitFilter struct {
	Policy, Issuer, Approver string // as in RecallRequest
	Paging
}
