package web

import (
	"net/http"
	"net/url"
	"strings"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/view"
)

// listPage is recent decisions, narrowed by what the address says.
type listPage struct {
	frame
	Filter view.DecisionFilter
	Page   view.Page[recorded]
}

// verdicts are those that a list can be narrowed to, as the address writes them.
var verdicts = []policy.Verdict{policy.NoGo, policy.CannotTell, policy.Wait, policy.Go}

func (s *site) showDecisions(w http.ResponseWriter, r *http.Request, v visitor) error {
	if err := v.actor.May(access.Read); err != nil {
		return err
	}
	f, err := filter(r.URL.Query())
	if err != nil {
		return err
	}
	framed, err := s.reading(r.Context(), "Decisions")
	if err != nil {
		return err
	}
	page, err := s.views.Decisions(r.Context(), f)
	if err != nil {
		return err
	}
	return show(r.Context(), w, http.StatusOK, showList(listPage{frame: framed, Filter: f, Page: page}))
}

func filter(q url.Values) (view.DecisionFilter, error) {
	f := view.DecisionFilter{
		Service: strings.TrimSpace(q.Get("service")), Environment: strings.TrimSpace(q.Get("environment")),
		Verdict: policy.Verdict(q.Get("verdict")), Paging: view.Paging{Cursor: q.Get("cursor")},
	}
	known := f.Verdict == ""
	for _, v := range verdicts {
		known = known || f.Verdict == v
	}
	if !known {
		return f, fault.Invalidf("web.verdict", "%.40q is not a verdict", f.Verdict).Remedy("choose one from the list").On("verdict")
	}
	return f, nil
}

// Narrowed reports whether the list leaves anything out.
func (p listPage) Narrowed() bool {
	return p.Filter.Service != "" || p.Filter.Environment != "" || p.Filter.Verdict != ""
}

// Older is the address of the next part, with the same filter.
func (p listPage) Older() string {
	q := url.Values{}
	for name, value := range map[string]string{"service": p.Filter.Service, "environment": p.Filter.Environment, "verdict": string(p.Filter.Verdict), "cursor": p.Page.Next} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return "/decisions?" + q.Encode()
}

// listOf is the address of the decisions about a service and an environment.
func listOf(service, environment string) string {
	return "/decisions?" + url.Values{"service": {service}, "environment": {environment}}.Encode()
}
