// Package test drives the built binary as its users do, on both stores.
//
// Each file of scripts/*.txtar runs twice, as sqlite/NAME and postgres/NAME, in
// an empty directory with a data directory and a database of its own. Besides
// the commands of testscript a script may use:
//
//	serve [ARG...]         start the server and wait until it is ready; sets $URL
//	                       with -closed first, until it says that it is not ready
//	shutdown               stop the server as a supervisor would, with SIGTERM
//	crash                  kill the server, with SIGKILL
//	gitrepo DIR            make a repository with the tags v1.0.0 and v1.1.0
//	exits N PROGRAM ARG... run a program that must exit with code N
//	organise [ARG...]      serve the example organisation: $EXAMPLE/catalog.yaml, a
//	                       token for each in NAME.token, the starter policy, or
//	                       with -policy DIR another one
//	http METHOD PATH ...   send a raw request: -token FILE, -header K:V, -body FILE,
//	                       -data TEXT, -size BYTES; status and headers to stderr
//	capture VAR REGEXP     set VAR to the first group found in stdout, else in stderr
//	json PATH [VALUE]      stdout is JSON that has PATH (with that VALUE); ! for absence
//	capturejson VAR PATH   set VAR to what stands at PATH of stdout
//	grows FILE LINES       wait until FILE has so many lines
//	includes WHOLE PART    each word of PART stands in WHOLE, and PART has one
//	s3 [stop]              start an S3 service with the bucket files; sets $S3
//	pubkey NAME FILE       write the public key of a NAME, in PEM
//	attest STATEMENT FILE NAME...  put a statement into an envelope signed by the keys of names
//	flip FROM TO REGEXP    change one byte: the last one of what REGEXP finds
//
// A PATH is names and indexes joined by dots, such as reasons.0.gate. A script
// finds $DATA, a data directory; $DATABASE, what --database takes; $STORE,
// sqlite or postgres; and $EXAMPLE, the files that scripts share. What "serve" is given stands before the flags for those.
// hsm.txtar also finds $HSM and $ORDINARY, directories of the build that signs by PKCS#11 tokens and of the usual
// one, and $MODULE, the library of SoftHSM.
package test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"signalbox.dev/signalbox/internal/store/storetest"
)

// binaryVariable names a binary to test instead of building one.
const binaryVariable = "SIGNALBOX_TEST_BINARY"

func TestScripts(t *testing.T) {
	binary := build(t)
	dir := t.TempDir()
	withHSM := sync.OnceValues(func() (string, error) { return buildHSM(t.Context(), dir) })
	scripts, err := filepath.Glob("scripts/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	stores := map[string]func(testing.TB) string{
		"sqlite":   func(testing.TB) string { return "" },
		"postgres": storetest.PostgresURL,
	}
	for store, database := range stores {
		t.Run(store, func(t *testing.T) {
			for _, script := range scripts {
				runScript(t, script, setup{binary, withHSM, store, database(t)})
			}
		})
	}
}

type setup struct {
	binary          string
	withHSM         func() (string, error) // built when it is first asked for
	store, database string
}

func runScript(t *testing.T, script string, s setup) {
	testscript.Run(t, testscript.Params{
		Files:               []string{script},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(s.binary)+string(os.PathListSeparator)+os.Getenv("PATH"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("NO_COLOR", "1")
			env.Setenv("STORE", s.store)
			env.Setenv("DATABASE", s.database)
			env.Setenv("DATA", filepath.Join(env.WorkDir, "data"))
			shared, err := example()
			env.Setenv("EXAMPLE", shared)
			if filepath.Base(script) == "hsm.txtar" {
				withHSM, failed := s.withHSM()
				err = errors.Join(err, failed)
				env.Setenv("ORDINARY", filepath.Dir(s.binary))
				env.Setenv("HSM", filepath.Dir(withHSM))
				env.Setenv("MODULE", softHSM())
			}
			env.Values[serverKey{}] = &running{}
			env.Values[serviceKey{}] = httptest.NewUnstartedServer(nil)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve":       serve,
			"shutdown":    shutdown,
			"crash":       crash,
			"gitrepo":     gitrepo,
			"exits":       exits,
			"capture":     capture,
			"json":        checkJSON,
			"capturejson": captureJSON,
			"organise":    organise,
			"http":        request,
			"grows":       grows,
			"includes":    includes,
			"flip":        flip,
			"s3":          s3,
			"pubkey":      pubkey,
			"attest":      attest,
		},
	})
}

// build is the path of the binary under test, named signalbox.
func build(t *testing.T) string {
	t.Helper()
	if given := os.Getenv(binaryVariable); given != "" {
		path, err := filepath.Abs(given)
		if err != nil || filepath.Base(path) != "signalbox" {
			t.Fatalf("%s must be the path of a file named signalbox, not %q", binaryVariable, given)
		}
		return path
	}
	path := filepath.Join(t.TempDir(), "signalbox")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", path, "../cmd/signalbox")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatal(fmt.Errorf("build the binary: %w\n%s", err, out))
	}
	return path
}
