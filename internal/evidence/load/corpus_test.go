package load

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/evidence"
)

// What each file of the corpus says was counted by hand, and by a script that
// shares no code with the readers.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "..", "shared", "corpora", "load-tests", "*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("the corpus load-tests is absent")
		}
		t.Skip("the corpus load-tests is absent")
	}
	want := map[string]string{
		"JENKINS-16627_CSV_instead_of_XML.jtl":    "3 0 1425 2204 2204 0/0 4.08s",
		"JMeterCsvResults.csv":                    "3 0 2204 2204 2204 0/0 2.206s",
		"JMeterCsvResults2.csv":                   "3 0 2204 2204 2204 0/0 0s", // its instants name a 20th month
		"JMeterCsvResults3.csv":                   "3 0 2204 2204 2204 0/0 0s", // and a 21st
		"JMeterPublisher.csv":                     "3 0.3333 1300 2000 2000 0/0 2.001s",
		"JMeterPublisher_formatted_timeStamp.csv": "3 0.3333 1300 2000 2000 0/0 2.001s",
		"JMeterResults.jtl":                       "8 0 501 15902 15902 0/0 177.15s",
		"JMeterResultsMultiLevel.jtl":             "10 0 372 645 645 0/0 4.004s",
		"JMeterResultsMultiThread.jtl":            "5 0 1384 1581 1581 0/0 24.718s",
		"JMeterResultsOneSample.jtl":              "1 0 2 2 2 0/0 0.002s",
		"JMeterResultsRandomUri.jtl":              "4 0 278 14720 14720 0/0 175.807s",
		"JMeterResultsTenSamples.jtl":             "10 0 5 10 10 0/0 175.754s",
		"JMeterResultsThreeSamples.jtl":           "3 0 2 3 3 0/0 0.003s",
		"multiLineCSV.jtl":                        "2 0.5 118 1898 1898 0/0 2.049s",
		"res.jtl":                                 "2 0.5 333 454 454 0/0 0.799s",
		"whitespace-followed-by-xml.jtl":          "8 0 501 15902 15902 0/0 177.15s",
	}
	refused := map[string]bool{"emptyfile.jtl": true, "jmeter.log": true}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		c, err := read(b)
		switch {
		case refused[name]:
			if err == nil {
				t.Errorf("%s: read as %s", name, says(c))
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case says(c) != want[name]:
			t.Errorf("%s: %s, want %q", name, says(c), want[name])
		}
	}
}

// large is a table of about size bytes, as JMeter writes one.
func large(size int) []byte {
	var b bytes.Buffer
	b.Grow(size + 400)
	b.WriteString(csvHeader)
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "%d,%d,GET /orders/%d,200,OK,Thread Group 1-%d,text,%v,,%d,120,10,10,https://shop.example/orders,%d,0,1\n",
			1700000000000+i, i*7919%5000, i%30, i%10, i%100 != 0, 1000+i%50, i%400)
	}
	return b.Bytes()
}

// A table of 190 MiB is read within 512 MiB in all.
func TestMemory(t *testing.T) {
	b := large(190 << 20)
	runtime.GC()
	peak, stop := make(chan uint64), make(chan struct{})
	go func() {
		var m runtime.MemStats
		var most uint64
		for {
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	c, err := read(b)
	close(stop)
	most := <-peak
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s; %d MiB in all", says(c), most>>20)
	if most > 512<<20 {
		t.Errorf("%d MiB", most>>20)
	}
}

func BenchmarkJMeterCSV(b *testing.B) { benchmark(b, large(8<<20)) }

func BenchmarkJMeterXML(b *testing.B) {
	var out bytes.Buffer
	for i := 0; out.Len() < 8<<20; i++ {
		fmt.Fprintf(&out, `<httpSample t="%d" lt="3" ts="%d" s="true" lb="GET /orders/%d" rc="200" rm="OK" tn="Thread Group 1-1" dt="text" by="771"/>`+"\n", i%5000, 1700000000000+i, i%30)
	}
	benchmark(b, []byte(testResults(out.String())))
}

func BenchmarkGatlingLog(b *testing.B) {
	var out bytes.Buffer
	out.WriteString(gatlingRun)
	for i := 0; out.Len() < 8<<20; i++ {
		fmt.Fprintf(&out, "REQUEST\tshop\torders %d\t%d\t%d\tOK\t \n", i%30, 1700000000000+i, 1700000000000+i+i%5000)
	}
	benchmark(b, out.Bytes())
}

func benchmark(b *testing.B, report []byte) {
	b.SetBytes(int64(len(report)))
	for b.Loop() {
		if c, err := read(report); err != nil || c.Kind != evidence.LoadKind {
			b.Fatal(err)
		}
	}
}
