package access

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// folded is a state after some drafts, as the journal would fold them.
func folded[S any](t *testing.T, noun string, drafts ...event.Draft) S {
	t.Helper()
	var state []byte
	for _, shape := range Shapes() {
		if shape.Noun != noun {
			continue
		}
		for _, d := range drafts {
			body, err := json.Marshal(d.Body)
			if err != nil {
				t.Fatal(err)
			}
			if state, err = shape.Fold(state, event.Recorded{Header: event.Header{Kind: d.Kind, Time: event.MicrosOf(now)}, BodyBytes: body}); err != nil {
				t.Fatal(err)
			}
			if _, err := shape.Keys(state); err != nil {
				t.Fatal(err)
			}
		}
	}
	s, err := event.Decode[S](state)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ok(t *testing.T, drafts []event.Draft, err error) event.Draft {
	t.Helper()
	if err != nil || len(drafts) != 1 {
		t.Fatalf("%v %v", drafts, err)
	}
	return drafts[0]
}

// Separation of duties: no role both grants rights and approves, and none both
// writes policy and runs pipelines.
func TestRoles(t *testing.T) {
	for _, role := range Roles() {
		rights := RightsOf([]string{role})
		if len(rights) == 0 {
			t.Errorf("%s may do nothing", role)
		}
		for _, pair := range [][2]Right{{Grant, Approve}, {Policy, Deploy}, {Approve, Deploy}, {Gate, Policy}} {
			if slices.Contains(rights, pair[0]) && slices.Contains(rights, pair[1]) {
				t.Errorf("%s holds %s and %s", role, pair[0], pair[1])
			}
		}
	}
	for _, r := range Rights() {
		if !slices.ContainsFunc(Roles(), func(role string) bool { return slices.Contains(RightsOf([]string{role}), r) }) {
			t.Errorf("no role gives %s", r)
		}
	}
	if RightsOf([]string{"root"}) != nil || RightsOf(nil) != nil {
		t.Error("a role nobody knows gives rights")
	}
}

func TestMay(t *testing.T) {
	a := Actor{Subject: "person/1", Rights: []Right{Read}}
	if err := a.May(Read); err != nil {
		t.Error(err)
	}
	err := a.May(Approve)
	if fault.KindOf(err) != fault.Forbidden || !strings.Contains(err.Error(), "approver") {
		t.Errorf("%v", err)
	}
	if a.Person() != "1" || (Actor{Subject: "machine/1"}).Person() != "" || System("timer").Person() != "" {
		t.Error("who is a person")
	}
	confined := Actor{Services: []string{"shop"}}
	if confined.MaySpeakFor("shop") != nil || fault.KindOf(confined.MaySpeakFor("ledger")) != fault.Forbidden || a.MaySpeakFor("ledger") != nil {
		t.Error("whom a machine may speak for")
	}
}

func TestPerson(t *testing.T) {
	d := Described{ID: "1", Identities: []string{"m2", "m1"}, Named: "n", Groups: []string{"board"}, Name: "Ann Example", Handle: "ann", Emails: []string{"ann@example.com"}}
	first := ok(t, Person{}.Describe(d), nil)
	if b, _ := json.Marshal(first.Body); strings.Contains(string(b), "xample") {
		t.Errorf("personal data in the body: %s", b)
	}
	p := folded[Person](t, PersonNoun, first)
	if again := p.Describe(d); again != nil {
		t.Errorf("the same again: %v", again)
	}
	renamed := d
	renamed.Named = "other"
	if p.Describe(renamed) == nil {
		t.Error("a new name is no new fact")
	}
	drafts, err := p.Grant("approver", "why")
	granted := ok(t, drafts, err)
	p = folded[Person](t, PersonNoun, first, granted)
	if again, err := p.Grant("approver", "why"); err != nil || again != nil {
		t.Errorf("granted twice: %v %v", again, err)
	}
	if _, err := p.Grant("king", "why"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("granted a role nobody knows: %v", err)
	}
	if _, err := p.Revoke("auditor", "why"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("revoked what is not held: %v", err)
	}
	drafts, err = p.Revoke("approver", "why")
	if left := folded[Person](t, PersonNoun, first, granted, ok(t, drafts, err)); len(left.Roles) != 0 {
		t.Errorf("left with %v", left.Roles)
	}
	drafts, err = p.Depart("left")
	gone := folded[Person](t, PersonNoun, first, granted, ok(t, drafts, err))
	if !gone.Departed || len(gone.Roles) != 0 || len(gone.Groups) != 0 || len(gone.Identities) != 2 {
		t.Errorf("departed as %+v", gone)
	}
	if _, err := gone.Depart("again"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("departed twice: %v", err)
	}
	if _, err := gone.Grant("viewer", "why"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("granted to the departed: %v", err)
	}
	for _, draft := range []event.Draft{first, granted} {
		if !slices.Contains(draft.Touches, event.SetGrants) {
			t.Errorf("%s does not touch the set of grants", draft.Kind)
		}
	}
}

func TestMachine(t *testing.T) {
	wanted := Machine{ID: "1", Name: "ci", Services: []string{"shop"}}
	first := ok(t, Machine{}.Describe(wanted), nil)
	m := folded[Machine](t, MachineNoun, first)
	if m.Describe(wanted) != nil {
		t.Error("the same again is a new fact")
	}
	if _, err := m.Grant("approver", "why"); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a machine approves: %v", err)
	}
	drafts, err := m.Grant("pipeline", "why")
	m = folded[Machine](t, MachineNoun, first, ok(t, drafts, err))
	if !slices.Equal(m.Roles, []string{"pipeline"}) {
		t.Errorf("roles %v", m.Roles)
	}
	drafts, err = m.Revoke("pipeline", "why")
	ok(t, drafts, err)
}

func TestToken(t *testing.T) {
	base := Token{ID: "1", Subject: "person/1", Hash: "h", Expires: event.MicrosOf(now.Add(time.Hour))}
	holder := []Right{Read, Gate}
	with := func(change func(*Token)) Token { t := base; change(&t); return t }
	for name, c := range map[string]struct {
		t    Token
		code string
	}{
		"all":      {base, ""},
		"some":     {with(func(t *Token) { t.Scopes = []Right{Read} }), ""},
		"more":     {with(func(t *Token) { t.Scopes = []Right{Policy} }), "token.exceeds"},
		"no right": {with(func(t *Token) { t.Scopes = []Right{"fly"} }), "token.scope"},
		"over":     {with(func(t *Token) { t.Expires = event.MicrosOf(now) }), "token.life"},
		"too long": {with(func(t *Token) { t.Expires = event.MicrosOf(now.Add(MaxTokenLife + time.Second)) }), "token.life"},
	} {
		drafts, err := Issue(c.t, holder, now)
		var f *fault.Error
		if errors.As(err, &f); (c.code == "") != (err == nil) || f != nil && f.Code != c.code {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && len(folded[Token](t, TokenNoun, drafts...).Scopes) == 0 {
			t.Errorf("%s: no scopes", name)
		}
	}
	if _, err := Issue(base, nil, now); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a token without any right: %v", err)
	}
	drafts, err := Issue(base, holder, now)
	issued := ok(t, drafts, err)
	tok := folded[Token](t, TokenNoun, issued)
	if err := tok.Usable("", now); err != nil {
		t.Error(err)
	}
	revoked, err := tok.Revoke("lost")
	dead := folded[Token](t, TokenNoun, issued, ok(t, revoked, err))
	var says []string
	for name, err := range map[string]error{
		"expired": tok.Usable("", now.Add(time.Hour)), "revoked": dead.Usable("", now), "another purpose": tok.Usable(ForSetup, now), "none": Token{}.Usable("", now),
	} {
		if fault.KindOf(err) != fault.Unauthorised {
			t.Errorf("%s: %v", name, err)
			continue
		}
		says = append(says, err.Error())
	}
	if slices.Sort(says); len(slices.Compact(says)) != 1 {
		t.Errorf("dead tokens can be told apart: %v", says)
	}
	if _, err := dead.Revoke("again"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("revoked twice: %v", err)
	}
}

func TestSpend(t *testing.T) {
	drafts, err := Issue(Token{ID: "1", Purpose: ForSignIn, Hash: "h", Expires: event.MicrosOf(now.Add(time.Hour))}, nil, now)
	issued := ok(t, drafts, err)
	tok := folded[Token](t, TokenNoun, issued)
	if _, err := tok.Spend(ForSetup, now); fault.KindOf(err) != fault.Unauthorised {
		t.Errorf("spent for another purpose: %v", err)
	}
	drafts, err = tok.Spend(ForSignIn, now)
	if _, err := folded[Token](t, TokenNoun, issued, ok(t, drafts, err)).Spend(ForSignIn, now); fault.KindOf(err) != fault.Unauthorised {
		t.Errorf("spent twice: %v", err)
	}
}

// A token never carries more than its holder has now.
func TestTokenActor(t *testing.T) {
	tok := Token{ID: "1", Subject: "person/1", Scopes: []Right{Read, Policy}}
	if a := tok.Actor([]string{"viewer"}); !slices.Equal(a.Rights, []Right{Read}) || a.Provenance != "person" || a.Auth != "token/1" {
		t.Errorf("%+v", a)
	}
	if a := tok.Actor(nil); a.Rights != nil {
		t.Errorf("without roles: %v", a.Rights)
	}
	tok.Subject = "machine/1"
	if a := tok.Actor([]string{"pipeline"}); a.Provenance != "pipeline" || a.Person() != "" {
		t.Errorf("%+v", a)
	}
}
