package event

// Kind is what happened, in the past tense: "<noun>.<verb>". A kind never
// changes meaning; new meaning is a new kind.
type Kind string

// Every kind there is. The golden journal in test/ holds each of them.
const (
	// The journal itself, stream "journal/<origin>".
	JournalBegun   Kind = "journal.begun"
	FieldsDisposed Kind = "journal.fields-disposed"
	// Put back from a copy. Until two persons have recorded it, the journal takes
	// nothing but what they say of it, and what concerns people and their tokens.
	JournalRestored  Kind = "journal.restored"
	RestoreProposed  Kind = "journal.restore-proposed"
	RestoreConfirmed Kind = "journal.restore-confirmed"

	// The installation's keys: streams "key/journal" and "key/permit".
	KeyRotated Kind = "key.rotated"

	// Catalog: streams service, environment, team, group.
	ServiceDescribed     Kind = "service.described"
	EnvironmentDescribed Kind = "environment.described"
	TeamDescribed        Kind = "team.described"
	GroupDescribed       Kind = "group.described"

	// Access: streams person, machine, token.
	PersonDescribed  Kind = "person.described"
	PersonGranted    Kind = "person.granted"
	PersonRevoked    Kind = "person.revoked"
	PersonDeparted   Kind = "person.departed"
	MachineDescribed Kind = "machine.described"
	MachineGranted   Kind = "machine.granted"
	MachineRevoked   Kind = "machine.revoked"
	TokenIssued      Kind = "token.issued"
	TokenRevoked     Kind = "token.revoked"
	TokenSpent       Kind = "token.spent" // a one-time token was used

	// Policy: stream "policy/active".
	PolicyActivated   Kind = "policy.activated"
	PolicyDeactivated Kind = "policy.deactivated" // from then on none is in force

	// Freezes: stream freeze.
	FreezeDeclared Kind = "freeze.declared"
	FreezeLifted   Kind = "freeze.lifted"

	// The stop switch: stream "stop/switch".
	StopPulled      Kind = "stop.pulled"
	StopResetAgreed Kind = "stop.reset-agreed" // by a first person
	StopReset       Kind = "stop.reset"        // by the last one needed

	// Evidence: stream artifact, by digest.
	ClaimAdded     Kind = "evidence.added"
	ClaimRecounted Kind = "evidence.recounted" // of a scan that stands, beside the VEX statements that stand

	// Releases: stream release.
	ReleaseOpened     Kind = "release.opened"
	ReleaseRevised    Kind = "release.revised"
	ReleaseMoved      Kind = "release.moved"
	ChangeAttached    Kind = "release.change-attached"
	ApprovalVoted     Kind = "release.voted"
	ApprovalWithdrawn Kind = "release.vote-withdrawn"
	Decided           Kind = "release.decided"

	// Permits and deployments: streams permit and deployment.
	PermitIssued       Kind = "permit.issued"
	PermitRedeemed     Kind = "permit.redeemed"
	PermitRecalled     Kind = "permit.recalled"
	PermitsRecalled    Kind = "recall.ordered" // every permit that rests on a basis; stream recall
	DeploymentStarted  Kind = "deployment.started"
	DeploymentFinished Kind = "deployment.finished"
	DeploymentFailed   Kind = "deployment.failed"
)
