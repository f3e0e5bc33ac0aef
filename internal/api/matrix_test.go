package api_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/api"
)

// needs says what each operation takes. It is written by hand: an operation
// that is missing here, or takes something else, fails.
var needs = map[string]string{
	"ask-gate": "gate", "list-decisions": "read", "show-decision": "read", "show-basis": "read",
	"open-release": "open", "list-releases": "read", "show-release": "read", "revise-release": "open", "attach-change": "open", "read-change": "open", "inspect-change": "open",
	"move-release": "any", "preview-decision": "read", "vote": "approve", "withdraw-vote": "approve",
	"add-evidence": "evidence", "show-evidence": "read", "compare-evidence": "read", "show-claim": "read", "show-original": "read",
	"declare-freeze": "any", "lift-freeze": "any", "list-freezes": "read",
	"activate-policy": "policy", "deactivate-policy": "policy", "replay-policy": "policy", "check-policy": "policy", "compare-policy": "policy", "document-policy": "read", "format-policy": "policy", "show-policy": "read", "show-policy-files": "read", "list-policy-history": "read",
	"import-catalog": "catalog", "list-services": "read", "list-environments": "read", "list-people": "read", "list-machines": "read",
	"start-deployment": "deploy", "finish-deployment": "deploy", "fail-deployment": "deploy", "end-deployment": "deploy", "list-deployments": "read",
	"show-permit": "read", "recall-permit": "recall", "recall-permits": "recall", "list-permits": "read", "show-stop": "read", "rotate-key": "operate", "pull-stop": "recall", "reset-stop": "recall",
	"issue-token": "any", "list-tokens": "any", "revoke-token": "any", "show-me": "any", "offer-sign-in": "any", "set-up": "public",
	"grant-role": "grant", "revoke-role": "grant", "depart": "grant",
	"show-keys": "read", "show-checkpoint": "read", "show-receipt": "read", "prove-inclusion": "read", "prove-consistency": "read", "export-journal": "export", "list-facts": "read",
	"show-vault": "read", "sweep-vault": "operate", "check-vault": "export", "fetch-vault-entry": "export",
	"take-backup": "operate", "show-restore": "read", "propose-restore": "operate", "confirm-restore": "any",
	"follow-changes": "read", "alive": "public", "ready": "public", "version": "public", "metrics": "read", "openapi": "public",
}

// held is the roles of each principal.
var held = map[string][]string{
	"administrator": {"administrator"}, "developer": {"developer"}, "approver": {"approver"}, "pipeline": {"pipeline"}, "viewer": {"viewer"},
	"auditor": {"auditor"}, "manager": {"approver", "release-manager", "policy-author"}, "anonymous": nil, "expired": nil,
}

// bodies name the service that the pipeline may speak for, where one is asked
// after; every other body is empty.
var bodies = map[string]string{
	"open-release": `{"service":"shop"}`, "start-deployment": `{"service":"shop"}`, "ask-gate": `{"service":"shop"}`,
}

type operation struct {
	id, method, path string
	secured          bool
}

func operations(t *testing.T) []operation {
	t.Helper()
	document, err := api.OpenAPI()
	must(t, err)
	var d struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			OperationID string                `json:"operationId"`
			Security    []map[string][]string `json:"security"`
		} `json:"paths"`
	}
	must(t, json.Unmarshal(document, &d))
	if d.OpenAPI != "3.1.0" {
		t.Errorf("OpenAPI %s", d.OpenAPI)
	}
	var all []operation
	for path, methods := range d.Paths {
		for method, o := range methods {
			all = append(all, operation{o.OperationID, strings.ToUpper(method), path, len(o.Security) > 0})
		}
	}
	return all
}

func TestOperationsAreKnown(t *testing.T) {
	var found []string
	for _, o := range operations(t) {
		found = append(found, o.id)
		if o.secured != (needs[o.id] != "public") {
			t.Errorf("%s: secured %v", o.id, o.secured)
		}
		if o.method != http.MethodGet && o.method != http.MethodPost {
			t.Errorf("%s: %s", o.id, o.method)
		}
	}
	slices.Sort(found)
	if known := slices.Sorted(maps.Keys(needs)); !slices.Equal(found, known) {
		t.Errorf("operations\n%v\nwritten down\n%v", found, known)
	}
}

// Every operation by every principal: 401 for nobody, 403 without the right,
// and neither with it. Path and body are of nothing that exists.
func TestMatrix(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		counted := map[int]int{}
		for _, o := range operations(t) {
			if o.id == "set-up" {
				continue // its code is its token: see TestSetup
			}
			for who, roles := range held {
				h.later.Add(int64(time.Minute)) // refused tokens are counted by the minute
				got := h.send(t, message{method: o.method, path: filled(o.path), body: body(o.id), as: who}).status
				counted[got]++
				switch want := expected(o.id, who, roles); {
				case want != 0 && got != want:
					t.Errorf("%s as %s: %d, want %d", o.id, who, got, want)
				case want == 0 && (got == 401 || got == 403 && needs[o.id] != "any" || got >= 500):
					t.Errorf("%s as %s: %d", o.id, who, got)
				}
			}
		}
		for _, status := range []int{200, 401, 403, 404, 422} {
			if counted[status] == 0 {
				t.Errorf("no request was answered %d: the matrix proves little", status)
			}
		}
	})
}

// expected is 401, 403, or 0 for anything else.
func expected(id, who string, roles []string) int {
	switch need := needs[id]; {
	case need == "public":
		return 0
	case who == "anonymous", who == "expired":
		return 401
	case need != "any" && !slices.Contains(access.RightsOf(roles), access.Right(need)):
		return 403
	}
	return 0
}

// filled is a path with something in each of its places.
func filled(path string) string {
	for {
		before, rest, found := strings.Cut(path, "{")
		if !found {
			break
		}
		_, after, _ := strings.Cut(rest, "}")
		path = before + "0199aaaa-0000-7000-8000-000000000000" + after
	}
	if strings.HasSuffix(path, "/readyz") {
		return path + "?always=200"
	}
	return path
}

func body(id string) string {
	if b := bodies[id]; b != "" {
		return b
	}
	return "{}"
}
