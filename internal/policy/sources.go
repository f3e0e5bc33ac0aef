package policy

import (
	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/document"
)

// What Compile takes and gives, in bundle's words.
type (
	// File is one YAML file of a bundle.
	File = bundle.File
	// Problem is something wrong in a bundle: where, what, why and how to fix it.
	Problem = bundle.Problem
	// Failure is the error of a bundle that cannot be used.
	Failure = bundle.Failure
)

// Limits of a bundle and weights of a problem, for those who compile one.
const (
	MaxFile      = bundle.MaxFile
	MaxFiles     = bundle.MaxFiles
	LevelError   = bundle.LevelError
	LevelWarning = bundle.LevelWarning
)

// Digest identifies a bundle by its files.
func Digest(files []File) string { return bundle.Digest(files) }

// Failed reports whether one of the problems is an error.
func Failed(problems []Problem) bool { return bundle.Failed(problems) }

// What documents say, in document's words.
type (
	// Policy names the bundle.
	Policy = document.Policy
	// ScopeRule says how far a release is governed.
	ScopeRule = document.ScopeRule
	// ReleaseType is the procedure for some releases.
	ReleaseType = document.ReleaseType
	// Gate is one condition that a release must meet.
	Gate = document.Gate
	// ApprovalChain says who must approve.
	ApprovalChain = document.ApprovalChain
	// Tier is a number of persons out of some groups.
	Tier = document.Tier
	// FreezeRule says what a freeze that names it means.
	FreezeRule = document.FreezeRule
	// Parameter is a value that conditions read.
	Parameter = document.Parameter
	// Framework is a catalogue of controls.
	Framework = document.Framework
	// Control is one thing that a framework asks for.
	Control = document.Control
	// Mandatory says which services must not be without a control.
	Mandatory = document.Mandatory
	// RiskModel turns answers into a score.
	RiskModel = document.RiskModel
	// RiskFactor is one question of a RiskModel.
	RiskFactor = document.RiskFactor
	// RiskThreshold names some scores.
	RiskThreshold = document.RiskThreshold
	// Window is a time in which deployments are welcome.
	Window = document.Window
	// WindowHours are hours of the wall clock.
	WindowHours = document.WindowHours
	// Owner says who answers for files.
	Owner = document.Owner
	// Include is another bundle within this one.
	Include = document.Include
	// Overlay tightens a document.
	Overlay = document.Overlay
	// Relaxation takes the force of a gate for a time.
	Relaxation = document.Relaxation
	// Attestor is somebody whose signed word is believed.
	Attestor = document.Attestor
	// AttestorKey is a key of an Attestor.
	AttestorKey = document.AttestorKey
	// Observed says on whose word and until when a scope is not enforced.
	Observed = document.Observed
	// Provenance says who is believed.
	Provenance = document.Provenance
	// Verdict is one of four answers.
	Verdict = document.Verdict
	// Severity is what a failed gate does to the verdict.
	Severity = document.Severity
)

// The words that documents and answers share.
const (
	Full, Light, None              = document.Full, document.Light, document.None
	Major, Minor, Patch            = document.Major, document.Minor, document.Patch
	Emergency, Normal, Standard    = document.Emergency, document.Normal, document.Standard
	NoChain                        = document.NoChain
	DefaultPermitTTL, MaxPermitTTL = document.DefaultPermitTTL, document.MaxPermitTTL
	DefaultValidFor                = document.DefaultValidFor

	ByServer, ByPipeline, ByPerson = document.ByServer, document.ByPipeline, document.ByPerson
	ByAttestor, Assumed, ByNobody  = document.ByAttestor, document.Assumed, document.ByNobody
	Go, Wait, NoGo, CannotTell     = document.Go, document.Wait, document.NoGo, document.CannotTell
	Block, Warn, Observe           = document.Block, document.Warn, document.Observe

	ModeDraft, ModeObserve, ModeWarn, ModeEnforce   = document.ModeDraft, document.ModeObserve, document.ModeWarn, document.ModeEnforce
	CoverageFull, CoveragePartial, CoverageEvidence = document.CoverageFull, document.CoveragePartial, document.CoverageEvidence
)
