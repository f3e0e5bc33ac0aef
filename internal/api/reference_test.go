package api_test

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"signalbox.dev/signalbox/internal/api"
)

//go:generate go test -run ^TestReference$ -update .

// update writes the reference anew: go test ./internal/api -run TestReference -update.
var update = flag.Bool("update", false, "write docs/reference/openapi.json")

const reference = "../../docs/reference/openapi.json"

// The committed reference is what the code says.
func TestReference(t *testing.T) {
	document, err := api.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(reference, document, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(document, committed) {
		t.Error("docs/reference/openapi.json is not what the operations say: go test ./internal/api -run TestReference -update")
	}
}
