package cli

import (
	"fmt"
	"os"
	"strings"

	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/wire"
)

// onActions reports whether this runs as a step of GitHub Actions.
func (c call) onActions() bool {
	v, _ := c.Env("GITHUB_ACTIONS")
	return v == "true"
}

// reportToActions prints annotations, and appends to the job summary and the outputs.
func (c call) reportToActions(d wire.Decision, o terminal.Options, permit string) error {
	if _, err := fmt.Fprint(c.Err, terminal.Annotations(d)); err != nil {
		return fmt.Errorf("print annotations: %w", err)
	}
	if path, _ := c.Env("GITHUB_STEP_SUMMARY"); path != "" {
		if err := appendFile(path, terminal.Summary(d, o)); err != nil {
			return err
		}
	}
	path, _ := c.Env("GITHUB_OUTPUT")
	if path == "" {
		return nil
	}
	var b strings.Builder
	kept := ""
	if c.receipts != nil {
		kept = c.receipts.Last()
	}
	for _, out := range [][2]string{{"decision", d.Verdict}, {"decision-id", d.ID}, {"permit", permit}, {"receipt", kept}, {"url", o.URL}} {
		fmt.Fprintf(&b, "%s=%s\n", out[0], terminal.Clean(out[1]))
	}
	return appendFile(path, b.String())
}

func appendFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
		if closed := f.Close(); err == nil {
			err = closed
		}
	}
	if err != nil {
		return unwritable(path, err)
	}
	return nil
}
