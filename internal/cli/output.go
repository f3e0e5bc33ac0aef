package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/settings"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/wire"
)

// Formats of what goes to standard output.
const (
	asTable = "table"
	asJSON  = "json"
	asYAML  = "yaml"
)

func (c call) format() (string, error) {
	s, err := c.settings.Resolve(settings.Of("output"), c.flags)
	if err != nil {
		return "", err
	}
	switch s.Text {
	case asTable, asJSON, asYAML:
		return s.Text, nil
	}
	return "", fault.Invalidf("cli.output", "%q is not a format", s.Text).On("--output").Remedy("write table, json or yaml").Because("it comes from " + s.Origin)
}

// print writes v to standard output: as JSON or YAML, or as the text that
// table writes. JSON has the shape of the API.
func (c call) print(v any, table func(io.Writer) error) error {
	format, err := c.format()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	switch format {
	case asJSON:
		err = terminal.JSON(&b, v)
	case asYAML:
		err = terminal.YAML(&b, v)
	default:
		err = table(&b)
	}
	if err != nil {
		return err
	}
	_, err = c.Out.Write(b.Bytes())
	return err
}

// note tells whoever watches something that is not data.
func (a *app) note(format string, args ...any) {
	_, _ = fmt.Fprintln(a.Err, terminal.Clean(fmt.Sprintf(format, args...)))
}

// joined is the errors that err is of, nil where it is one. What a fault has as
// its cause is for the log: the fault says it better.
func joined(err error) []error {
	for ; err != nil; err = errors.Unwrap(err) {
		switch e := err.(type) {
		case *fault.Error:
			return nil
		case interface{ Unwrap() []error }:
			return e.Unwrap()
		}
	}
	return nil
}

// printError says what happened, where, why and how to fix it, of every error there is.
func (a *app) printError(err error) {
	var list *policy.Failure
	var several *wire.Several
	many := joined(err)
	switch {
	case many != nil:
		for _, one := range many {
			a.printError(one)
		}
		return
	case errors.As(err, &list):
		_, _ = fmt.Fprintln(a.Err, terminal.CleanLines(list.Error()))
		return
	case errors.As(err, &several):
		for _, d := range several.All {
			a.printError(&fault.Error{What: d.Detail, Why: d.Why, Fix: d.Fix, Field: d.Field, Code: d.Code, Where: fault.Position(d.Where)})
		}
		return
	}
	var f *fault.Error
	if !errors.As(err, &f) {
		_, _ = fmt.Fprintf(a.Err, "error: %s\n", terminal.CleanLines(err.Error()))
		return
	}
	what := f.What
	if !f.Where.IsZero() {
		what = f.Where.String() + ": " + what
	}
	_, _ = fmt.Fprintf(a.Err, "error: %s\n", terminal.Clean(what))
	for _, part := range []struct{ name, text string }{{"why", f.Why}, {"fix", f.Fix}, {"field", f.Field}, {"code", f.Code}} {
		if part.text != "" {
			_, _ = fmt.Fprintf(a.Err, "  %-6s %s\n", part.name+":", terminal.Clean(part.text))
		}
	}
}
