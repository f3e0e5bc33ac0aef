package load

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/evidence"
)

// Gatling names a format that is read here.
const Gatling = "gatling"

// IsGatling reports whether a document opens like Gatling's js/stats.json, with
// the statistics of each request, or global_stats.json, with those of all.
func IsGatling(t evidence.Top) bool {
	if t.Array {
		return false
	}
	object := func(name string) bool { return t.Members[name].Kind == '{' }
	return object("stats") && object("contents") && t.Has("type", "name") || object("numberOfRequests") && object("meanResponseTime")
}

// gatlingStats are the statistics of one request, a group of them, or all. The
// percentiles are numbered, and which they are stands in gatling.conf: unless
// someone changes it, 50, 75, 95 and 99.
type gatlingStats struct {
	Requests gatlingTriple `json:"numberOfRequests"`
	Mean     gatlingTriple `json:"meanResponseTime"`
	P1       gatlingTriple `json:"percentiles1"`
	P3       gatlingTriple `json:"percentiles3"`
	P4       gatlingTriple `json:"percentiles4"`
}

// gatlingTriple is one statistic of all requests, of those that went well and
// of those that did not. A dash stands where there were none.
type gatlingTriple struct {
	Total gatlingNumber `json:"total"`
	OK    gatlingNumber `json:"ok"`
	KO    gatlingNumber `json:"ko"`
}

// gatlingNumber is a number, in quotes or not; nil is a dash or nothing.
type gatlingNumber struct{ value *float64 }

// UnmarshalJSONFrom reads a number in either form.
func (n *gatlingNumber) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var w evidence.Word
	if kind := dec.PeekKind(); kind != '0' && kind != '"' {
		return broken("a statistic is no number")
	}
	if err := w.UnmarshalJSONFrom(dec); err != nil || w == "-" {
		return err
	}
	v, err := strconv.ParseFloat(string(w), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
		return broken("a statistic is %q", evidence.Cut(string(w), 40)).Because("that is no number from 0")
	}
	n.value = &v
	return nil
}

// gatlingGroup is one entry of stats.json.
type gatlingGroup struct {
	Type     string                  `json:"type"` // GROUP or REQUEST
	Name     string                  `json:"name"`
	Path     string                  `json:"path"`
	Stats    *gatlingStats           `json:"stats"`
	Contents map[string]gatlingGroup `json:"contents"`
}

// ReadGatling makes a claim of stats.json or global_stats.json.
func ReadGatling(b []byte) (evidence.Claim, error) {
	var form struct {
		Requests evidence.Presence `json:"numberOfRequests"`
	}
	if err := evidence.Decode(b, &form); err != nil {
		return evidence.Claim{}, err
	}
	var root gatlingGroup
	var err error
	if form.Requests.There() {
		root.Stats = &gatlingStats{}
		err = evidence.Decode(b, root.Stats)
	} else {
		err = evidence.Decode(b, &root)
	}
	if err != nil {
		return evidence.Claim{}, err
	}
	return root.claim()
}

func (g gatlingGroup) claim() (evidence.Claim, error) {
	whole, ko, err := g.part()
	if err != nil {
		return evidence.Claim{}, err
	}
	if *whole.Requests == 0 {
		return evidence.Claim{}, nothing("Gatling counted no request")
	}
	l := &evidence.Load{Requests: *whole.Requests, ErrorRate: rate(ko, *whole.Requests), P50: whole.P50, P95: whole.P95, P99: whole.P99, Mean: whole.Mean}
	var parts []evidence.LoadPart
	sum, err := g.requests(&parts)
	if err != nil {
		return evidence.Claim{}, err
	}
	list(l, parts)
	c := evidence.Claim{Kind: evidence.LoadKind, Format: Gatling, Tool: evidence.Tool{Name: "Gatling"}, Load: l}
	note(&c, len(parts) > 0 && sum != l.Requests, "the totals state %d requests, the single ones say %d; the totals count", l.Requests, sum)
	note(&c, true, "the percentiles are numbers 1, 3 and 4 of the report: 50, 95 and 99, unless gatling.conf says otherwise")
	note(&c, true, "Gatling's assertions stand in another file, assertions.json, and are not read")
	noteParts(&c)
	return c, nil
}

// requests appends the parts of all requests in the group and those below it,
// and tells how many they count.
func (g gatlingGroup) requests(parts *[]evidence.LoadPart) (sum int, err error) {
	for _, key := range slices.Sorted(maps.Keys(g.Contents)) {
		inner := g.Contents[key]
		if inner.Type == "GROUP" {
			n, err := inner.requests(parts)
			if err != nil {
				return 0, err
			}
			sum += n
			continue
		}
		p, _, err := inner.part()
		if err != nil {
			return 0, err
		}
		p.Name = inner.Name
		if inner.Path != "" {
			p.Name = inner.Path
		}
		if *p.Requests == 0 {
			continue
		}
		*parts, sum = append(*parts, p), sum+*p.Requests
	}
	return sum, nil
}

// part is what the statistics of one entry say, and how many of its requests failed.
func (g gatlingGroup) part() (p evidence.LoadPart, ko int, err error) {
	if g.Stats == nil {
		return p, 0, broken("the entry %q has no stats", evidence.Cut(g.Name, 80))
	}
	var counts [3]int
	for i, x := range []struct {
		name string
		of   gatlingNumber
	}{{"total", g.Stats.Requests.Total}, {"ok", g.Stats.Requests.OK}, {"ko", g.Stats.Requests.KO}} {
		switch v := x.of.value; {
		case v == nil && x.name != "total":
		case v == nil || *v != math.Trunc(*v) || *v > 1e12:
			return p, 0, broken("numberOfRequests states no count %s", x.name).On("/numberOfRequests/" + x.name)
		default:
			counts[i] = int(*v)
		}
	}
	total, ok, ko := counts[0], counts[1], counts[2]
	if ok+ko != total {
		return p, 0, broken("numberOfRequests states %d requests, of which %d went well and %d did not", total, ok, ko).
			Because("they contradict each other").On("/numberOfRequests")
	}
	p.Requests = &total
	if total == 0 {
		return p, 0, nil
	}
	p.ErrorRate = ptr(rate(ko, total))
	p.P50, p.P95, p.P99, p.Mean = g.Stats.P1.Total.value, g.Stats.P3.Total.value, g.Stats.P4.Total.value, g.Stats.Mean.Total.value
	for i, v := range []*float64{p.P50, p.P95, p.P99, p.Mean} {
		if err := milliseconds(fmt.Sprintf("statistic %d of %q", i, evidence.Cut(g.Name, 80)), v); err != nil {
			return p, 0, err
		}
	}
	return p, ko, nil
}
