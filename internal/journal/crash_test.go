//go:build linux

package journal_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

// childVariable tells the test binary to be the process that is killed.
const childVariable = "SIGNALBOX_JOURNAL_CHILD"

// The children: they run until killed, or report on standard output.
func TestMain(m *testing.M) {
	switch os.Getenv(childVariable) {
	case "":
		code := m.Run()
		forgetTagged()
		os.Exit(code)
	case "append":
		childAppends()
	case "disk":
		childLosesDisk()
	case "points":
		childPoints()
	}
}

func childJournal() (*store.DB, *journal.Journal) {
	o := store.Options{Data: os.Getenv("CHILD_DATA"), Database: os.Getenv("CHILD_DATABASE")}
	db, err := store.Open(context.Background(), o)
	if err != nil {
		childFails(err)
	}
	j, err := journal.Open(context.Background(), journal.Options{DB: db, Shapes: []event.Shape{counterShape(1)}})
	if err != nil {
		childFails(err)
	}
	return db, j
}

func childFails(err error) {
	fmt.Println("failed", err)
	os.Exit(1)
}

// childAppends appends from four goroutines without end, saying before each
// command that it tries, and after it where its fact stands.
func childAppends() {
	_, j := childJournal()
	cycle := os.Getenv("CHILD_CYCLE")
	for w := range 4 {
		go func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%s-%d-%d", cycle, w, i)
				fmt.Printf("try %s\n", id)
				r, err := j.Append(context.Background(), keyed(id))
				if err != nil {
					childFails(err)
				}
				fmt.Printf("ack %s %d\n", id, r.First)
			}
		}()
	}
	select {}
}

// said is what a killed child had said.
type said struct {
	tried []string
	acked map[string]uint64
}

// killed runs a child until delay after its first acknowledgement, and kills it.
func killed(t *testing.T, delay time.Duration, env ...string) said {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), append(env, childVariable+"=append")...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := said{acked: map[string]uint64{}}
	var once sync.Once
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var id string
		var position uint64
		line := lines.Text()
		if n, _ := fmt.Sscanf(line, "ack %s %d", &id, &position); n == 2 {
			s.acked[id] = position
			once.Do(func() { time.AfterFunc(delay, func() { _ = cmd.Process.Kill() }) })
		} else if n, _ := fmt.Sscanf(line, "try %s", &id); n == 1 {
			s.tried = append(s.tried, id)
		} else if strings.HasPrefix(line, "failed") {
			t.Error(line)
		}
	}
	_ = cmd.Wait()
	return s
}

// survive kills a child and checks that nothing it acknowledged is lost and
// that sending everything again records nothing twice. It returns how many
// commands were neither acknowledged nor refused when the child died.
func survive(t *testing.T, o store.Options, cycle int, delay time.Duration, tried map[string]bool) (inDoubt int) {
	t.Helper()
	s := killed(t, delay, "CHILD_DATA="+o.Data, "CHILD_DATABASE="+o.Database, fmt.Sprint("CHILD_CYCLE=", cycle))
	db, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	k := start(t, db, nil)
	defer k.Close()
	for id, position := range s.acked {
		r, err := k.Command(t.Context(), id)
		if err != nil || r.First != position {
			t.Errorf("cycle %d: %s was acknowledged at %d: %+v, %v", cycle, id, position, r, err)
		}
	}
	for _, id := range s.tried {
		tried[id] = true
		r := k.must(t, keyed(id))
		if _, acked := s.acked[id]; acked && !r.Repeated {
			t.Errorf("cycle %d: %s was recorded twice", cycle, id)
		}
	}
	if v, c := k.load(t, counterStream("k")); v != uint64(len(tried)) || c.Sum != int64(len(tried)) {
		t.Errorf("cycle %d: %d facts for %d commands", cycle, v, len(tried))
	}
	k.verify(t)
	return len(s.tried) - len(s.acked)
}

// cycles is how often to kill: full when a proof is asked for.
func cycles(usual, full int) int {
	if os.Getenv("SIGNALBOX_PROVE") != "" {
		return full
	}
	return usual
}

func TestKillSQLite(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var o store.Options
	var tried map[string]bool
	inDoubt := 0
	for cycle := range cycles(100, 10_000) {
		if cycle%10 == 0 {
			o, tried = store.Options{Data: t.TempDir()}, map[string]bool{}
		}
		inDoubt += survive(t, o, cycle, time.Duration(random.IntN(15_000))*time.Microsecond, tried)
	}
	if inDoubt == 0 {
		t.Error("no child was killed while it appended")
	}
}

func TestKillPostgresClient(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	o, tried := store.Options{Database: storetest.PostgresURL(t)}, map[string]bool{}
	inDoubt := 0
	for cycle := range cycles(10, 500) {
		inDoubt += survive(t, o, cycle, time.Duration(random.IntN(30_000))*time.Microsecond, tried)
	}
	if inDoubt == 0 {
		t.Error("no child was killed while it appended")
	}
}

// childLosesDisk appends, then lets every write to a file fail, and then no
// longer; it says what became of three commands.
func childLosesDisk() {
	_, j := childJournal()
	signal.Ignore(syscall.SIGXFSZ)
	limit := func(bytes uint64) {
		var r syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &r); err != nil {
			childFails(err)
		}
		r.Cur = min(bytes, r.Max)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &r); err != nil {
			childFails(err)
		}
	}
	say := func(id string) {
		_, err := j.Append(context.Background(), keyed(id))
		_, _ = fmt.Fprintln(os.Stderr, id, fault.KindOf(err), err == nil)
	}
	say("good")
	limit(1)
	say("broken")
	limit(1 << 62)
	say("after")
	_, err := j.Facts(context.Background(), 0, 10)
	_, _ = fmt.Fprintln(os.Stderr, "read", err == nil)
	os.Exit(0)
}

// After one failed write nothing more is written, though the disk seems well
// again: what the kernel dropped cannot be known. Reading goes on.
func TestStopsAfterDiskError(t *testing.T) {
	o := store.Options{Data: t.TempDir()}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"=disk", "CHILD_DATA="+o.Data)
	var b strings.Builder
	cmd.Stderr = &b
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, b.String())
	}
	want := "good internal true\nbroken unavailable false\nafter unavailable false\nread true\n"
	if b.String() != want {
		t.Errorf("the child said %q, want %q", b.String(), want)
	}
	db, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	k := start(t, db, nil)
	for _, id := range []string{"good", "broken", "after"} {
		if r := k.must(t, keyed(id)); id == "good" && !r.Repeated {
			t.Error("what was acknowledged is lost")
		}
	}
	if n := k.verify(t); n != 4 {
		t.Errorf("%d facts", n)
	}
}

// One process owns a data directory: every other is refused, however it is timed.
func TestSecondProcessIsRefused(t *testing.T) {
	o := store.Options{Data: t.TempDir()}
	db, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	k := start(t, db, nil)
	for n := range cycles(10, 100) {
		k.must(t, keyed(fmt.Sprint(n)))
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childVariable+"=append", "CHILD_DATA="+o.Data, "CHILD_CYCLE=second")
		out, err := cmd.Output()
		if err == nil || !strings.Contains(string(out), "in use by another process") || strings.Contains(string(out), "ack") {
			t.Fatalf("a second process said %q, %v", out, err)
		}
	}
	k.verify(t)
	k.Close()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	// The negative control: once it is free, the same process appends.
	if s := killed(t, 0, "CHILD_DATA="+o.Data, "CHILD_CYCLE=second"); len(s.acked) == 0 {
		t.Error("nor could it when the directory was free")
	}
}
