package mandate

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/policy"
)

var auditTime = time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)

func labelsOf(controls []policy.Control) []string {
	var all []string
	for _, c := range controls {
		all = append(all, c.Label())
	}
	return all
}

// dropped are the controls that one service with these flags and data classes is without.
func dropped(p *policy.Program, flags, classes []string, now time.Time) []policy.Control {
	var all []policy.Control
	for _, d := range Drops(p, Catalog{Services: []policy.Service{{Name: "ledger", Flags: flags, DataClasses: classes}}, Now: now}) {
		all = append(all, d.Control)
	}
	return all
}

func TestEveryFlagAndDataClassPullsInItsFramework(t *testing.T) {
	for name, c := range map[string]struct {
		flags, classes []string
		want           []string // frameworks
	}{
		"financial reporting":    {[]string{"icfr"}, nil, []string{"sox-itgc"}},
		"health, by flag":        {[]string{"ephi"}, nil, []string{"hipaa"}},
		"health, by data class":  {nil, []string{"health"}, []string{"hipaa"}},
		"personal data":          {nil, []string{"personal"}, []string{"gdpr"}},
		"cards, by flag":         {[]string{"cardholder"}, nil, []string{"pci-dss"}},
		"cards, by data class":   {nil, []string{"cardholder"}, []string{"pci-dss"}},
		"a critical function":    {[]string{"critical-function"}, nil, []string{"eu-dora"}},
		"two":                    {[]string{"icfr"}, []string{"personal"}, []string{"gdpr", "sox-itgc"}},
		"nothing":                {nil, nil, nil},
		"what nobody asks for":   {[]string{"internal"}, []string{"public"}, nil},
		"a flag as a data class": {[]string{"personal"}, []string{"icfr"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, d := range dropped(&policy.Program{}, c.flags, c.classes, auditTime) {
				got = append(got, d.Framework)
			}
			slices.Sort(got)
			if got = slices.Compact(got); !slices.Equal(got, c.want) {
				t.Errorf("pulls in %v, want %v", got, c.want)
			}
		})
	}
}

func TestRegulatedDropsNothing(t *testing.T) {
	p := regulated(t, "", "")
	all := func(f func(policy.Mandatory) []string) []string {
		var all []string
		for _, c := range Required() {
			all = append(all, f(c.Mandatory)...)
		}
		return all
	}
	flags, classes := all(func(m policy.Mandatory) []string { return m.Flags }), all(func(m policy.Mandatory) []string { return m.DataClasses })
	if got := dropped(p, flags, classes, auditTime); len(got) > 0 {
		t.Errorf("drops %v", labelsOf(got))
	}
	if len(dropped(&policy.Program{}, flags, classes, auditTime)) < 40 {
		t.Error("next to nothing is mandatory") // else the above says nothing
	}
}

// regulated is the pack with one text replaced by another in all files.
func regulated(t testing.TB, from, to string) *policy.Program {
	t.Helper()
	files := policy.Regulated()
	found := from == ""
	for i := range files {
		if from != "" && bytes.Contains(files[i].Data, []byte(from)) {
			files[i].Data, found = bytes.ReplaceAll(files[i].Data, []byte(from), []byte(to)), true
		}
	}
	if !found {
		t.Fatalf("the pack does not say %q", from)
	}
	p, problems := policy.Compile(files)
	if p == nil {
		t.Fatal(problems)
	}
	return p
}

func TestWhatCountsAsDropped(t *testing.T) {
	for name, c := range map[string]struct{ from, to, want string }{
		"no gate names it":         {"  - sox-itgc/CM-8\n", "  - nist-800-53/CM-3\n", "sox-itgc/CM-8"},
		"its gate warns":           {"name: migrations-reviewed\n", "name: migrations-reviewed\nseverity: warn\n", "sox-itgc/CM-8"},
		"its gate is light":        {"applies: change.migrations > 0\ngovernance: [full]", "applies: change.migrations > 0\ngovernance: [light]", "sox-itgc/CM-8"},
		"its own word weakened":    {"mandatory:\n  flags: [icfr]\n", "", ""},
		"nothing of it is changed": {"Reach two of the", "Reach both of the", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(labelsOf(dropped(regulated(t, c.from, c.to), []string{"icfr"}, nil, auditTime)), " "); got != c.want {
				t.Errorf("drops %q, want %q", got, c.want)
			}
		})
	}
}

// A gate that is relaxed for a service in production, or does not apply to it
// there, does not operate for it, however that is written; one that may not apply
// or be relaxed for some of its releases does.
func TestAGateThatDoesNotOperateForAServiceDrops(t *testing.T) {
	relaxed := func(more string) *policy.Program {
		t.Helper()
		text := "apiVersion: signalbox/v1\nkind: Relaxation\nname: r\ngate: migrations-reviewed\nto: observe\nuntil: 2027-04-01T00:00:00Z\nby: ada\nreason: R.\n" + more
		p, problems := policy.Compile(append(policy.Regulated(), policy.File{Name: "relaxed.yaml", Data: []byte(text)}))
		if p == nil {
			t.Fatal(problems)
		}
		return p
	}
	applies := func(condition string) *policy.Program {
		return regulated(t, "applies: change.migrations > 0\n", "applies: "+condition+"\n")
	}
	places := []policy.Environment{{Name: "prod-eu", Kind: "production", Region: "eu"}, {Name: "prod-us", Kind: "production", Region: "us"}, {Name: "test", Kind: "test", Region: "ap"}}
	month := auditTime.AddDate(0, 1, 0)
	for name, c := range map[string]struct {
		p      *policy.Program
		places []policy.Environment
		now    time.Time
		drops  bool
	}{
		"relaxed for every release":         {relaxed(""), places, auditTime, true},
		"relaxed, nobody knows where":       {relaxed(""), nil, auditTime, true},
		"that is over":                      {relaxed(""), places, month, false},
		"relaxed for this service":          {relaxed("match: service.name == \"ledger\"\n"), places, auditTime, true},
		"relaxed for its tier":              {relaxed("match: service.tier == 0\n"), places, auditTime, true},
		"relaxed always, in other words":    {relaxed("match: service.name != \"\" || service.tier > 9\n"), places, auditTime, true},
		"relaxed for another service":       {relaxed("match: service.name == \"shop\"\n"), places, auditTime, false},
		"relaxed in all production":         {relaxed("match: environment.kind == \"production\"\n"), places, auditTime, true},
		"relaxed in some production":        {relaxed("match: environment.region == \"us\"\n"), places, auditTime, true},
		"relaxed beside production":         {relaxed("match: environment.region == \"ap\"\n"), places, auditTime, false},
		"relaxed somewhere, unknown where":  {relaxed("match: environment.region == \"us\"\n"), nil, auditTime, false},
		"relaxed for some of its releases":  {relaxed("match: release.change_type == \"emergency\"\n"), places, auditTime, false},
		"applies to some of its releases":   {applies("change.migrations > 1"), places, auditTime, false},
		"applies to every other service":    {applies("service.name != \"ledger\""), places, auditTime, true},
		"applies in some production":        {applies("environment.region == \"eu\""), places, auditTime, true},
		"applies in production":             {applies("environment.kind == \"production\""), places, auditTime, false},
		"applies somewhere, unknown where":  {applies("environment.region == \"eu\""), nil, auditTime, false},
		"applies to services of high tiers": {applies("service.tier <= 1"), places, auditTime, false},
	} {
		all := Drops(c.p, Catalog{Services: []policy.Service{{Name: "shop", Tier: 1}, {Name: "ledger", Flags: []string{"icfr"}}}, Places: c.places, Now: c.now})
		got := ""
		for _, d := range all {
			got += d.Control.Label() + " of " + strings.Join(d.Services, " ")
		}
		if want := map[bool]string{true: "sox-itgc/CM-8 of ledger"}[c.drops]; got != want {
			t.Errorf("%s: drops %q, want %q", name, got, want)
		}
	}
}

func TestABundleAddsToWhatIsMandatory(t *testing.T) {
	const house = "apiVersion: signalbox/v1\nkind: Framework\nname: house\ntitle: House rules\n---\napiVersion: signalbox/v1\nkind: Control\nname: house-c1\nframework: house\nid: C1.2(a)\n" +
		"statement: S.\nobjective: segregation\nowner: board\nfrequency: per-release\ncoverage: partial\nduty: D.\nmandatory: {data_classes: [health]}\n"
	with := func(more string) *policy.Program {
		p, problems := policy.Compile(append(policy.Starter(), policy.File{Name: "house.yaml", Data: []byte(house + more)}))
		if p == nil {
			t.Fatal(problems)
		}
		return p
	}
	if got := labelsOf(dropped(with(""), nil, []string{"health"}, auditTime)); !slices.Contains(got, "house/C1.2(a)") {
		t.Errorf("drops %v", got)
	}
	named := with("---\napiVersion: signalbox/v1\nkind: Gate\nname: g\ntitle: T\ncondition: service.owned\ncontrols: [house/C1.2(a)]\n")
	if got := labelsOf(dropped(named, nil, []string{"health"}, auditTime)); slices.Contains(got, "house/C1.2(a)") || len(got) == 0 {
		t.Errorf("drops %v", got)
	}
	if Operating(with(""), auditTime)["house/C1.2(a)"] || !Operating(named, auditTime)["house/C1.2(a)"] {
		t.Error("a control operates without a gate, or not with one")
	}
}

// ICFR relevance is a flag that the owner sets: nothing else of a service, however
// it looks, makes the controls of financial reporting mandatory.
func TestFinancialRelevanceIsNeverInferred(t *testing.T) {
	p, _ := policy.Compile(policy.Starter())
	for _, s := range []policy.Service{
		{Name: "general-ledger", Tier: 0, Team: "finance", Owned: true},
		{Name: "icfr", Tier: 0, Team: "icfr", DataClasses: []string{"icfr", "financial", "accounting"}},
		{Name: "sox-reporting", Flags: []string{"ICFR", "sox", "sox-itgc", "financial"}},
	} {
		if err := Uphold(p, Catalog{Services: []policy.Service{s}, Now: auditTime}); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
	if Uphold(p, Catalog{Services: []policy.Service{{Name: "anything", Tier: 3, Flags: []string{"icfr"}}}, Now: auditTime}) == nil {
		t.Error("the flag itself pulls in nothing")
	}
}

func TestStarterIsRefusedWhereControlsAreMandatory(t *testing.T) {
	p, _ := policy.Compile(policy.Starter())
	err := Uphold(p, Catalog{Services: []policy.Service{{Name: "shop"}, {Name: "ledger", Flags: []string{"icfr"}, DataClasses: []string{"personal"}}}, Now: auditTime})
	if err == nil {
		t.Fatal("starter holds for a service with the flag icfr")
	}
	for _, want := range []string{"ledger", "sox-itgc/CM-1", "for the flag icfr, SOX, IT general controls is mandatory", "gdpr/Art.5(2)", "for the data class personal, General Data Protection Regulation is mandatory", "signalbox policy init --pack regulated"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the refusal does not say %q: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "shop") {
		t.Errorf("a service without flags is named: %v", err)
	}
	if err := Uphold(p, Catalog{Services: []policy.Service{{Name: "shop"}}, Now: auditTime}); err != nil {
		t.Errorf("a catalog without flags: %v", err)
	}
}

func TestARefusalNamesAFewOfManyServices(t *testing.T) {
	p, _ := policy.Compile(policy.Starter())
	var many []policy.Service
	for range 1000 {
		many = append(many, policy.Service{Name: "ledger", Flags: []string{"icfr"}})
	}
	if n := strings.Count(Uphold(p, Catalog{Services: many, Now: auditTime}).Error(), "of service ledger"); n != maxUnheld {
		t.Errorf("%d services are named", n)
	}
}

func TestServicesUnderControlsAreGovernedInFull(t *testing.T) {
	ledger := []policy.Service{{Name: "ledger", Flags: []string{"icfr"}}, {Name: "shop"}}
	places := []policy.Environment{{Name: "staging-eu", Kind: "staging"}, {Name: "prod-eu", Kind: "production"}}
	if err := Uphold(regulated(t, "", ""), Catalog{Services: ledger, Places: places, Now: auditTime}); err != nil {
		t.Error(err)
	}
	lax := regulated(t, "governance: full\nreason: Customers and accounts", "governance: light\nreason: Customers and accounts")
	err := Uphold(lax, Catalog{Services: ledger, Places: places, Now: auditTime})
	if err == nil || !strings.Contains(err.Error(), "ledger in full in prod-eu") || strings.Contains(err.Error(), "shop") {
		t.Errorf("light governance of production: %v", err)
	}
	if err := Uphold(lax, Catalog{Services: ledger[1:], Places: places, Now: auditTime}); err != nil {
		t.Errorf("a service without flags: %v", err)
	}
}
