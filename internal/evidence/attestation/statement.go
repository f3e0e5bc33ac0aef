package attestation

import (
	"fmt"

	"signalbox.dev/signalbox/internal/dsse"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/strict"
)

const (
	maxSubjects = 1024
	maxLevels   = 20
)

// statements are the versions of statement that are read, by type.
var statements = map[string]string{
	"https://in-toto.io/Statement/v0.1": "0.1",
	"https://in-toto.io/Statement/v1":   "1",
}

// statement is a statement, and its version.
type statement struct {
	evidence.Attestation
	version string
}

// parse reads the payload of an envelope. Members that are not known are passed
// over, as the formats ask.
func parse(e dsse.Envelope) (statement, error) {
	s := statement{}
	if e.PayloadType != PayloadType {
		return s, fault.Invalidf("evidence.payload-type", "the payload is of the type %q", evidence.Cut(e.PayloadType, 100)).
			Because("only " + PayloadType + " is a statement").On("/payloadType")
	}
	if err := evidence.Bounded(e.Payload); err != nil {
		return s, err
	}
	var document map[string]any
	if err := strict.DecodeOpen(e.Payload, &document); err != nil {
		return s, err
	}
	if document == nil {
		return s, fault.Invalidf("evidence.attestation", "the payload is null")
	}
	r := &reading{}
	o := r.object(document, "", "_type", "subject", "predicateType", "predicate")
	kind := o.need("_type")
	if s.version = statements[kind]; s.version == "" {
		r.fail("/_type", "the statement is of the type %q, which is not read", evidence.Cut(kind, 100))
	}
	s.PredicateType, s.Signatures = o.need("predicateType"), len(e.Signatures)
	s.subjects(o)
	s.predicate(o)
	return s, r.err
}

// subjects reads what the statement is about.
func (s *statement) subjects(o object) {
	if n := len(o.list("subject")); n == 0 || n > maxSubjects {
		o.fail("/subject", "the statement has %d subjects, not 1 to %d", n, maxSubjects)
		return
	}
	o.each("subject", func(x object) {
		d := x.sub("digest", "sha256")
		if len(d.members) == 0 {
			x.fail(d.at, "%s is missing: a subject is known by its digest", d.at)
		}
		one := evidence.Subject{Name: evidence.Cut(x.text("name"), evidence.MaxWord)}
		if sum := d.digest("sha256", 64); sum != "" {
			one.Digest = "sha256:" + sum
		}
		s.Subjects = append(s.Subjects, one)
	}, "name", "digest")
	s.SubjectCount = len(s.Subjects)
}

// predicate reads what the statement says, where its type is known.
func (s *statement) predicate(o object) {
	switch s.PredicateType {
	case ProvenanceV02:
		s.provenance02(o.sub("predicate", "builder", "buildType", "invocation", "metadata", "materials"))
	case ProvenanceV1:
		s.provenance1(o.sub("predicate", "buildDefinition", "runDetails"))
	case SummaryV1:
		s.summary(o.sub("predicate", "verifier", "verificationResult", "verifiedLevels", "policyLevel", "timeVerified"))
	}
}

func (s *statement) provenance02(p object) {
	s.Builder, s.BuildType = p.sub("builder", "id").need("id"), p.need("buildType")
	meta := p.sub("metadata", "buildInvocationId", "buildInvocationID", "buildStartedOn", "buildFinishedOn")
	s.Invocation = meta.text("buildInvocationId")
	if s.Invocation == "" { // so written by the libraries of version 0.2
		s.Invocation = meta.text("buildInvocationID")
	}
	s.Started, s.Finished = meta.instant("buildStartedOn"), meta.instant("buildFinishedOn")
	s.Materials = len(p.list("materials"))
	config := p.sub("invocation", "configSource").sub("configSource", "uri", "digest")
	s.from(originOf(config), origins(p, "materials"))
}

func (s *statement) provenance1(p object) {
	definition := p.sub("buildDefinition", "buildType", "externalParameters", "resolvedDependencies")
	run := p.sub("runDetails", "builder", "metadata")
	s.Builder, s.BuildType = run.sub("builder", "id").need("id"), definition.need("buildType")
	meta := run.sub("metadata", "invocationId", "startedOn", "finishedOn")
	s.Invocation, s.Started, s.Finished = meta.text("invocationId"), meta.instant("startedOn"), meta.instant("finishedOn")
	s.Materials = len(definition.list("resolvedDependencies"))
	parameters := definition.sub("externalParameters")
	s.from(asked(parameters), origins(definition, "resolvedDependencies"))
}

// summary reads a verification summary. Earlier drafts of version 1 had one level
// where there now is a list.
func (s *statement) summary(p object) {
	s.Builder, s.Finished = p.sub("verifier", "id").need("id"), p.instant("timeVerified")
	if s.Result = p.need("verificationResult"); s.Result != "PASSED" && s.Result != "FAILED" {
		p.fail(p.place("verificationResult"), "%s is neither PASSED nor FAILED", p.place("verificationResult"))
	}
	levels := p.list("verifiedLevels")
	if len(levels) > maxLevels {
		p.fail(p.place("verifiedLevels"), "there are more than %d levels", maxLevels)
		return
	}
	for i, v := range levels {
		level, is := v.(string)
		if !is || level == "" || len(level) > 100 {
			p.fail(fmt.Sprintf("%s/%d", p.place("verifiedLevels"), i), "a level is not a short text")
			return
		}
		s.Levels = append(s.Levels, level)
	}
	if one := p.text("policyLevel"); one != "" && levels == nil {
		s.Levels = []string{one}
	}
}
