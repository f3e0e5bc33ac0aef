package control

import (
	"context"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/calendar"
	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
)

// FreezeRequest declares a freeze.
type FreezeRequest struct {
	Name   string
	Rule   string // a FreezeRule of the active policy; "" for none
	Scope  calendar.Scope
	From   time.Time // zero: now
	Until  time.Time // zero: until lifted
	Reason string
}

// DeclareFreeze declares a freeze; every decision that starts after it knows it.
func (c *Control) DeclareFreeze(ctx context.Context, r Request, q FreezeRequest) (calendar.Freeze, error) {
	return do(ctx, c, r, q, func(l *Load) ([]event.Draft, calendar.Freeze, error) {
		f := calendar.Freeze{ID: NewID(), Name: strings.TrimSpace(q.Name), Rule: q.Rule, Scope: q.Scope, From: event.MicrosOf(q.From), Until: event.MicrosOf(q.Until)}
		if f.From == 0 {
			f.From = event.MicrosOf(l.Now)
		}
		if err := c.follow(l, &f); err != nil {
			return nil, f, err
		}
		if err := c.known(l, f.Scope); err != nil {
			return nil, f, err
		}
		if err := c.mayFreeze(l, r.Actor, f.Rule, func(rule policy.FreezeRule) []string { return rule.MayDeclare }); err != nil {
			return nil, f, err
		}
		if err := l.Set(event.SetFreezes); err != nil {
			return nil, f, err
		}
		named, err := readAll[calendar.Freeze](l, calendar.FreezeName, f.Name)
		if err != nil {
			return nil, f, err
		}
		drafts, err := calendar.Declare(f, named, q.Reason, l.Now)
		return drafts, f, err
	})
}

// follow gives a freeze that names no rule the only one of the active policy:
// what the policy says of freezes holds for every freeze.
func (c *Control) follow(l *Load, f *calendar.Freeze) error {
	if f.Rule != "" {
		return nil
	}
	program, _, err := c.active(l)
	if err != nil || program == nil {
		return err
	}
	rules := program.FreezeRules()
	if len(rules) == 1 {
		f.Rule = rules[0].Name
	}
	if len(rules) > 1 {
		var names []string
		for _, r := range rules {
			names = append(names, r.Name)
		}
		return fault.Invalidf("freeze.rule", "the active policy has several freeze rules").Remedy("name one of " + strings.Join(names, ", ")).On("rule")
	}
	return nil
}

// known refuses a scope that names what nobody knows: such a freeze would cover nothing.
func (c *Control) known(l *Load, s calendar.Scope) error {
	services, environments, err := names(l)
	if err != nil {
		return err
	}
	kinds := []string{catalog.Production, catalog.Staging, catalog.Test, catalog.Development}
	for _, part := range []struct {
		what         string
		named, known []string
	}{{"service", s.Services, services}, {"environment", s.Environments, environments}, {"kind", s.Kinds, kinds}} {
		for _, name := range part.named {
			if slices.Contains(part.known, name) {
				continue
			}
			f := fault.Invalidf("freeze.scope", "no %s is called %q, so the freeze would not cover it", part.what, name).On("scope")
			if near := catalog.Nearest(name, part.known); near != "" {
				f = f.Remedy("did you mean " + near + "?")
			}
			return f
		}
	}
	for _, tier := range s.Tiers {
		if tier < 0 || tier > 3 {
			return fault.Invalidf("freeze.scope", "there is no tier %d", tier).Remedy("tiers are 0 to 3").On("scope")
		}
	}
	return nil
}

// LiftFreeze ends a freeze at once. It is named by name or id.
func (c *Control) LiftFreeze(ctx context.Context, r Request, name, reason string) (calendar.Freeze, error) {
	return do(ctx, c, r, [2]string{name, reason}, func(l *Load) ([]event.Draft, calendar.Freeze, error) {
		var f calendar.Freeze
		if err := l.Set(event.SetFreezes); err != nil {
			return nil, f, err
		}
		named, err := readAll[calendar.Freeze](l, calendar.FreezeName, name)
		if err != nil {
			return nil, f, err
		}
		if i := slices.IndexFunc(named, func(z calendar.Freeze) bool { return !z.Over(l.Now) }); i >= 0 {
			f = named[i]
		} else if f, err = read[calendar.Freeze](l, event.StreamOf(calendar.FreezeNoun, name)); err != nil {
			return nil, f, err
		}
		if f.ID == "" {
			return nil, f, fault.New(fault.NotFound, "freeze.unknown", "no freeze "+name+" stands").Remedy("signalbox freeze list shows those that do")
		}
		if err := c.mayFreeze(l, r.Actor, f.Rule, func(rule policy.FreezeRule) []string { return rule.MayLift }); err != nil {
			return nil, f, err
		}
		drafts, err := f.Lift(reason)
		f.Lifted = event.MicrosOf(l.Now)
		return drafts, f, err
	})
}

// mayFreeze is nil where the actor belongs to a group that the freeze rule
// names, or, without a rule, holds the right to freeze. A token that leaves out
// some of its holder's rights must hold this one, whatever the groups.
func (c *Control) mayFreeze(l *Load, a access.Actor, rule string, groups func(policy.FreezeRule) []string) error {
	if rule == "" {
		return a.May(access.Freeze)
	}
	program, _, err := c.active(l)
	if err != nil {
		return err
	}
	var found policy.FreezeRule
	exists := false
	if program != nil {
		found, exists = program.FreezeRule(rule)
	}
	if !exists {
		return fault.Invalidf("freeze.rule", "the active policy has no freeze rule %q", rule).Remedy("name one it has, or leave it out").On("rule")
	}
	allowed := groups(found)
	if len(allowed) == 0 || a.Confined {
		if err := a.May(access.Freeze); err != nil {
			return err
		}
	}
	if len(allowed) == 0 {
		return nil
	}
	if slices.ContainsFunc(a.Groups, func(g string) bool { return slices.Contains(allowed, g) }) {
		return nil
	}
	return fault.New(fault.Forbidden, "freeze.not-in-group", "the freeze rule "+rule+" leaves this to "+strings.Join(allowed, ", ")).
		Remedy("ask a member of one of these groups")
}
