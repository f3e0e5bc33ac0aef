package junit

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/evidence"
)

// Each dialect in the forms that only it writes.
func TestDialects(t *testing.T) {
	for _, c := range []struct {
		name, report string
		want         evidence.Tests
		note         string // a word of the one note; "" is no note
	}{
		{"Surefire, rerun until it passed", `<testsuite name="a.B" time="0.3" tests="2" errors="0" skipped="0" failures="0" flakes="1"><properties><property name="k" value="v"/></properties>
			<testcase name="x" classname="a.B" time="0.1"><flakyFailure message="m" type="T"><stackTrace><![CDATA[at a.B <failure/>]]></stackTrace><system-out>o</system-out></flakyFailure></testcase>
			<testcase name="y" classname="a.B" time="0.2"><system-out><![CDATA[<error/>]]></system-out><system-err>e</system-err></testcase></testsuite>`, tests(2, 2, 0, 0, 0, 0.3), "failed before"},
		{"Surefire, rerun in vain", `<testsuite tests="1" errors="0" failures="1"><testcase name="x" classname="a.B" time="0.1"><failure message="m" type="T">t</failure><rerunFailure message="m" type="T"><stackTrace>t</stackTrace></rerunFailure><rerunError type="T"><stackTrace>t</stackTrace></rerunError></testcase></testsuite>`, tests(1, 0, 0, 1, 0, 0.1), "other sums"},
		{"Gradle with merged reruns counts each run as a failure", `<testsuite name="B" tests="1" skipped="0" failures="1" errors="0"><testcase name="x" classname="B" time="0.2"><flakyFailure type="T">t</flakyFailure></testcase></testsuite>`, tests(1, 1, 0, 0, 0, 0.2), "other sums"},
		{"Gradle's retry, each run a case", `<testsuite tests="2" failures="1"><testcase name="x" classname="B"><failure/></testcase><testcase name="x" classname="B"/></testsuite>`, tests(2, 1, 1, 0, 0, 0), "under the name of another"},
		{"pytest-rerunfailures, each run a case, the last one fails", `<testsuites><testsuite name="pytest" errors="0" failures="1" skipped="0" tests="2"><testcase classname="t" name="x" time="0.1"/><testcase classname="t" name="x" time="0.1"><failure message="m">t</failure></testcase></testsuite></testsuites>`, tests(2, 1, 1, 0, 0, 0.2), "under the name of another"},
		{"one name in two files", `<testsuite tests="2" failures="1"><testcase name="x" file="a.rb"><failure/></testcase><testcase name="x" file="b.rb"/></testsuite>`, tests(2, 1, 1, 0, 0, 0), ""},
		{"pytest, expected to fail", `<testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="0" skipped="2" tests="3" timestamp="2026-01-02T03:04:05.000001+01:00" hostname="h"><testcase classname="t" name="x" time="0.1"><skipped type="pytest.xfail" message="later"/></testcase><testcase classname="t" name="y" time="0.1"><skipped type="pytest.skip">t.py:3: no</skipped></testcase><testcase classname="t" name="z" time="0"><error message="failed on setup">E</error></testcase></testsuite></testsuites>`, tests(3, 0, 0, 1, 2, 0.2), ""},
		{"GoogleTest", `<testsuites tests="4" failures="1" disabled="1" errors="0" time="0.01" timestamp="2026-01-02T03:04:05.678" name="AllTests"><testsuite name="A" tests="4" failures="1" disabled="1" skipped="1" errors="0" time="0.01"><testcase name="a" file="a.cc" line="1" status="run" result="completed" time="0.001" classname="A"/><testcase name="DISABLED_b" status="notrun" result="suppressed" time="0" classname="A"/><testcase name="c" status="run" result="skipped" time="0" classname="A"><skipped message="no"><![CDATA[no]]></skipped></testcase><testcase name="d" status="run" result="completed" time="0" classname="A"><failure message="1" type=""/><failure message="2" type=""/></testcase></testsuite></testsuites>`, tests(4, 1, 1, 0, 2, 0.001), "no zone"},
		{"Jest", `<testsuites name="jest tests" tests="2" failures="1" errors="0" time="1.2"><testsuite name="a" errors="0" failures="1" skipped="1" timestamp="2026-01-02T03:04:05" time="1" tests="2"><testcase classname="a b" name="a b" time="0.5"><failure>Error: x</failure></testcase><testcase classname="a c" name="a c" time="0"><skipped/></testcase></testsuite></testsuites>`, tests(2, 0, 1, 0, 1, 0.5), "no zone"},
		{"Mocha and Cypress", `<testsuites name="Mocha Tests" time="3.1" tests="2" failures="1"><testsuite name="Root Suite" timestamp="2026-01-02T03:04:05" tests="0" file="cypress/e2e/a.cy.js" time="0.0000" failures="0"></testsuite><testsuite name="login" tests="2" time="3.1" failures="1"><testcase name="login works" time="1.5" classname="works"></testcase><testcase name="login fails" time="1.6" classname="fails"><failure message="Timed out" type="AssertionError"><![CDATA[at x]]></failure></testcase></testsuite></testsuites>`, tests(2, 1, 1, 0, 0, 3.1), "no zone"},
		{"PHPUnit", `<testsuites><testsuite name="" tests="4" assertions="3" errors="1" warnings="1" failures="0" skipped="1" time="0.2"><testsuite name="A" file="A.php" tests="3" assertions="3" errors="1" failures="0" skipped="1" time="0.2"><testsuite name="A::testX" tests="2" errors="0" failures="0" skipped="0"><testcase name="testX with data set #0" class="A" classname="A" file="A.php" line="3" assertions="1" time="0.1"/><testcase name="testX with data set #1" class="A" classname="A" assertions="1" time="0.1"><skipped/></testcase></testsuite><testcase name="testRisky" classname="A" assertions="0" time="0"><error type="PHPUnit\Framework\RiskyTestError">Risky Test</error></testcase></testsuite><testcase name="Warning" classname="B" assertions="0" time="0"><warning type="PHPUnit\Framework\Warning">No tests found in class "B".</warning></testcase></testsuite></testsuites>`, tests(4, 1, 0, 1, 2, 0.2), "warnings"},
		{"NUnit, converted", `<testsuites tests="3" disabled="1" failures="1" errors="0" time="0.1"><testsuite name="N" tests="3" time="0.1" errors="0" failures="1" skipped="1" package="N" id="1" timestamp="2026-01-02T03:04:05Z"><testcase name="A" assertions="1" time="0.05" status="Passed" classname="N.T"/><testcase name="B" status="Failed" classname="N.T"><failure message="x">at</failure></testcase><testcase name="C" status="Inconclusive" classname="N.T"><ignored/></testcase></testsuite></testsuites>`, tests(3, 1, 1, 0, 1, 0.05), ""},
		{"CTest", `<testsuite name="(empty)" tests="4" failures="1" disabled="1" skipped="2" hostname="" time="2" timestamp="2026-01-02T03:04:05"><testcase name="a" classname="a" time="1.0" status="run"><properties/><system-out>x</system-out></testcase><testcase name="b" classname="b" time="1.0" status="fail"><failure message="Timeout"/><system-out/></testcase><testcase name="c" classname="c" time="0" status="disabled"><disabled message="Disabled"/></testcase><testcase name="d" classname="d" time="0" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/></testcase></testsuite>`, tests(4, 1, 1, 0, 2, 2), "no zone"},
		{"nextest", `<testsuites name="nextest-run" tests="2" failures="0" errors="0" uuid="u" timestamp="2026-01-02T03:04:05.678+00:00" time="0.5"><testsuite name="crate" tests="2" disabled="0" errors="0" failures="0"><testcase name="a" classname="crate" timestamp="2026-01-02T03:04:05.678+00:00" time="0.2"><flakyFailure timestamp="2026-01-02T03:04:05.678+00:00" time="0.1" type="test failure"><system-err>x</system-err></flakyFailure></testcase><testcase name="b" classname="crate" time="0.3"/></testsuite></testsuites>`, tests(2, 2, 0, 0, 0, 0.5), "failed before"},
		{"go-junit-report", `<testsuites tests="2" failures="0" errors="1" skipped="1"><testsuite name="example.org/a" tests="2" failures="0" errors="1" id="0" hostname="h" skipped="1" time="0.000" timestamp="2026-01-02T03:04:05Z"><properties><property name="go.version" value="go1.26"></property></properties><testcase name="TestSkip" classname="example.org/a" time="0.000"><skipped message="Skipped"><![CDATA[a_test.go:3: no]]></skipped></testcase><testcase name="[build failed]" classname="example.org/a" time="0.000"><error message="Build error"/></testcase></testsuite></testsuites>`, tests(2, 0, 0, 1, 1, 0), ""},
		{"Playwright, disabled and with attachments", `<testsuites id="" name="" tests="2" failures="0" skipped="1" errors="0" time="1.5"><testsuite name="a.spec.ts" timestamp="2026-01-02T03:04:05.678Z" hostname="chromium" tests="2" failures="0" skipped="1" time="1.5" errors="0"><testcase name="a" classname="a.spec.ts" time="1.5"><properties><property name="issue" value="1"/></properties><system-out><![CDATA[[[ATTACHMENT|a.png]]]]></system-out></testcase><testcase name="b" classname="a.spec.ts" time="0"><skipped></skipped></testcase></testsuite></testsuites>`, tests(2, 1, 0, 0, 1, 1.5), ""},
		{"behave", `<testsuite name="a.B" tests="3" errors="0" failures="1" skipped="1" time="0.1" timestamp="2026-01-02T03:04:05Z"><testcase classname="a.B" name="x" status="passed" time="0.1"/><testcase classname="a.B" name="y" status="undefined" time="0"/><testcase classname="a.B" name="z" status="untested" time="0"/></testsuite>`, tests(3, 1, 1, 0, 1, 0.1), ""},
		{"a suite whose failures no case shows", `<testsuites><testsuite name="a" tests="1" failures="0" errors="1"><testcase name="x"/></testsuite><testsuite name="b" tests="1" failures="0" errors="0"><testcase name="y"/></testsuite></testsuites>`, tests(3, 2, 0, 1, 0, 0), "none of their cases shows"},
		{"a broken suite without a case", `<testsuites tests="1" failures="0" errors="1"><testsuite name="a" tests="0" failures="0" errors="1"/><testsuite><testcase/></testsuite></testsuites>`, tests(2, 1, 0, 1, 0, 0), "none of their cases shows"},
		{"failures counted by assertion (Catch2)", `<testsuites><testsuite name="a" errors="0" failures="3" tests="2"><testcase name="x"><failure/><failure/><failure/></testcase><testcase name="y"/></testsuite></testsuites>`, tests(2, 1, 1, 0, 0, 0), "other sums"},
	} {
		got := mustRead(t, c.report)
		if diff := cmp.Diff(c.want, *got.Tests); diff != "" {
			t.Errorf("%s:\n%s", c.name, diff)
		}
		notes := strings.Join(got.Notes, "\n")
		if c.note == "" && notes != "" || !strings.Contains(notes, c.note) {
			t.Errorf("%s: notes %q", c.name, got.Notes)
		}
	}
}
