package conform

import (
	"slices"
	"testing"
)

func TestFormats(t *testing.T) {
	for name, c := range map[string]struct{ is, not []string }{
		"date": {[]string{"2024-02-29", "2000-02-29", "0000-01-01", "2024-12-31"}, []string{"", "2023-02-29", "1900-02-29", "2024-13-01", "2024-00-01", "2024-04-31", "2024-1-01", "24-01-01", "2024-01-01Z", "2024/01/01", "２024-01-01"}},
		"date-time": {
			[]string{"2024-01-02T03:04:05Z", "2024-01-02t03:04:05z", "2024-01-02T03:04:05.123456789+14:30", "2016-12-31T23:59:60Z", "2017-01-01T00:59:60+01:00", "2024-01-02T00:00:00-00:00"},
			[]string{"", "2024-01-02", "2024-01-02T03:04:05", "2024-01-02 03:04:05Z", "2024-01-02T24:00:00Z", "2024-01-02T03:60:00Z", "2024-01-02T03:04:61Z", "2024-01-02T03:04:60Z", "2024-01-02T03:04:05.Z", "2024-01-02T03:04:05+1:00", "2024-01-02T03:04:05+24:00", "2024-01-02T03:04:05Zx", "2024-01-02T03:04Z"},
		},
		"idn-email": {
			[]string{"a@b", "a.b+c@example.org", "ä@ö.de", `"a b"@c`, `"a\"b"@c`, "a@[127.0.0.1]", "a@[IPv6:::1]"},
			[]string{"", "a", "@b", "a@", "a b@c", ".a@b", "a..b@c", "a.@b", "a@b..c", "a@-b", "a@b-", "a@b_c", "a@[x]", `"a"b@c`, `"a@b`, "a<b>@c", "a@b c", "a@[1.2.3.4", "\xff@b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@b"},
		},
		"iri-reference": {
			[]string{"", "a", "/a/b", "?q", "#f", "http://a", "http://a:80/b?c=d#e", "http://u:p@a/", "http://[::1]:80/", "http://[v1.x]/", "urn:x:y", "a/b:c", "./b:c", "//host/p", "http://ä.de/ö?\ue000", "mailto:a@b", "file:///a", "http://a/%20", "git+ssh://git@github.com/a/b.git", "1a/b"},
			[]string{"a b", "a:b c", "1a:b", "git@github.com:a/b", "git+ssh://git@github.com:a/b", "http://a:b/", "http://[::1", "http://[x]/", "http://[1.2.3.4]/", "%", "%2", "%zz", "a\\b", "<a>", "{a}", "a|b", "a^b", "`", "\"", "a#b#c", "http://a/[x]", "http://a b/", "\x00", "\xff", "http://a/\ue000", "a\u0085", "http://a@b@c/", "http://[::1%25eth0]/"},
		},
		"uri": {[]string{"http://a", "urn:x:y", "a:", "a:b"}, []string{"", "a", "/a", "//a", "http://ä.de", "#f", "1:2"}},
	} {
		for _, s := range c.is {
			if !Format(name, []byte(s)) {
				t.Errorf("%q is not %s", s, name)
			}
		}
		for _, s := range c.not {
			if Format(name, []byte(s)) {
				t.Errorf("%q is %s", s, name)
			}
		}
	}
}

func TestNumbers(t *testing.T) {
	ascending := []string{"-1e99999999999999999999", "-10", "-9.5", "-0.001", "0", "1e-99999999999999999999", "0.1", "0.11", "0.2", "1", "1.5", "10", "99", "100", "1e3", "12345678901234567890.5", "1e99999999999999999999"}
	for i, a := range ascending {
		for j, b := range ascending {
			x, ok1 := parseDecimal(a)
			y, ok2 := parseDecimal(b)
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := x.compare(y); !ok1 || !ok2 || got != want {
				t.Errorf("%s to %s: %d", a, b, got)
			}
		}
	}
	for _, same := range [][]string{{"0", "-0", "0.0", "0e5", "-0.00"}, {"1", "1.0", "10e-1", "0.1e1", "0001"}, {"-120", "-1.2e2", "-0.12E+3"}} {
		for _, s := range same {
			d, _ := parseDecimal(s)
			first, _ := parseDecimal(same[0])
			if d.text() != first.text() || !d.whole() {
				t.Errorf("%s is %s, %s is %s", s, d.text(), same[0], first.text())
			}
		}
	}
	for _, s := range []string{"", "-", ".", "e1", "1e", "1e+", "a", "1.2.3", "1e1.5", "+1", " 1"} {
		if d, ok := parseDecimal(s); ok {
			t.Errorf("%q is %v", s, d)
		}
	}
	for _, s := range []string{"1.5", "1e-1", "123.4"} {
		if d, _ := parseDecimal(s); d.whole() {
			t.Errorf("%s is whole", s)
		}
	}
}

func TestXMLTypes(t *testing.T) {
	c := xmlCompiler{form: xmlForm{Simple: map[string]simpleForm{
		"code":   {Base: "xs:token", Patterns: []string{`[a-z]{2}(-[A-Z]{2})?`, `\$?x\.y`}},
		"word":   {Base: "xs:token", Enum: []string{"a b", "c"}},
		"share":  {Base: "xs:decimal", Minimum: ptr("0"), Maximum: ptr("1"), Places: ptr(1)},
		"named":  {Base: "xs:string", MinChars: ptr(1), MaxChars: ptr(3)},
		"either": {Union: []string{"word", "xs:boolean"}},
	}}, simple: map[string]*simpleType{}}
	for typ, want := range map[string]struct{ is, not []string }{
		"xs:boolean":            {[]string{"true", " 0 "}, []string{"", "TRUE", "yes"}},
		"xs:integer":            {[]string{"1", "+1", "-0", " 7\n"}, []string{"", "1.0", "1e1", "+", "--1", "1 2"}},
		"xs:nonNegativeInteger": {[]string{"0", "+3", "-0"}, []string{"-1", ""}},
		"xs:positiveInteger":    {[]string{"1", "+3"}, []string{"0", "-1", "+0"}},
		"xs:decimal":            {[]string{"1", "-1.5", ".5", "5.", "+0.5"}, []string{"", ".", "1e1", "NaN", "1,5"}},
		"xs:date":               {[]string{"2024-02-29", "2024-01-01Z", "2024-01-01+14:00", "-0044-03-15", "12024-01-01"}, []string{"", "2023-02-29", "0000-01-01", "24-01-01", "2024-01-01+14:01", "02024-01-01", "2024-01-01 Z"}},
		"xs:dateTime":           {[]string{"2024-01-01T00:00:00", "2024-01-01T24:00:00Z", "2024-01-01T23:59:59.999-05:00", " 2024-01-01T00:00:00Z "}, []string{"", "2024-01-01", "2024-01-01T24:00:01", "2024-01-01T00:00:60Z", "2024-01-01t00:00:00Z", "2024-01-01T00:00:00z", "2024-01-01T00:00:00.Z"}},
		"xs:anyURI":             {[]string{"", "http://a/b", "a b", "é", "a{b}"}, []string{"http://a:b", "%zz", "1a:b", "a#b#c"}},
		"xs:normalizedString":   {[]string{"a\tb"}, nil},
		"code":                  {[]string{"de", "de-DE", " x.y ", "$x.y"}, []string{"", "d", "xxy", "de-DEx", "ade-DE"}},
		"word":                  {[]string{"a  b", "c", "\ta\nb "}, []string{"a", "A B", ""}},
		"share":                 {[]string{"0", "1.0", "0.5", "+.5", "0.50"}, []string{"-0.1", "1.1", "0.55", "x"}},
		"named":                 {[]string{"a", "äöü", " "}, []string{"", "abcd"}},
		"either":                {[]string{"c", "true", "1"}, []string{"d", ""}},
	} {
		s, err := c.simpleType(typ)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range want.is {
			if why := s.check([]byte(text)); why != "" {
				t.Errorf("%q is not %s: %s", text, typ, why)
			}
		}
		for _, text := range want.not {
			if s.check([]byte(text)) == "" {
				t.Errorf("%q is %s", text, typ)
			}
		}
	}
	for _, pattern := range []string{`\p{L}`, `\i`, `[a-z-[b]]`, `^a`, `a$`, `(`} {
		if _, err := compileXSD(pattern); err == nil {
			t.Errorf("%s is compiled", pattern)
		}
	}
	if names := sortedKeys(formats); !slices.Equal(names, sortedKeys(formatNames)) {
		t.Errorf("formats %v have no words", names)
	}
}

func ptr[T any](v T) *T { return &v }
