package cli

import (
	"context"
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/internal/settings"
	"signalbox.dev/signalbox/internal/terminal"
)

// explained is a setting with its origin.
type explained struct {
	Key     string `json:"key"`
	Value   string `json:"value"`
	Origin  string `json:"origin"`
	Flag    string `json:"flag"`
	Env     string `json:"env"`
	Meaning string `json:"meaning"`
}

func (c call) explain(o settings.Option) (explained, error) {
	s, err := c.settings.Resolve(o, c.flags)
	if o.Secret && s.Text != "" {
		s.Text = "(redacted)"
	}
	e := explained{Key: orElse(o.Key, o.Env), Value: s.Text, Origin: s.Origin, Env: o.Env, Meaning: o.Meaning}
	if o.Name != "" {
		e.Flag = "--" + o.Name
	}
	return e, err
}

func (a *app) config() *cobra.Command {
	explain := a.command("explain KEY", "Say what a setting is and where it comes from", func(_ context.Context, c call) error {
		o := settings.Of(c.args[0])
		if o.Env == "" {
			return settings.Unknown(c.args[0])
		}
		e, err := c.explain(o)
		if err != nil {
			return err
		}
		value := orElse(e.Value, "(not set)")
		return c.print(e, terminal.Facts("key", e.Key, "value", value, "from", e.Origin, "flag", e.Flag, "variable", e.Env, "meaning", e.Meaning))
	})
	explain.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var keys []string
		for _, o := range settings.All() {
			keys = append(keys, orElse(o.Key, o.Env)+"\t"+o.Meaning)
		}
		return keys, cobra.ShellCompDirectiveNoFileComp
	}
	list := a.command("list", "List every setting, its value and where it comes from", func(_ context.Context, c call) error {
		var all []explained
		for _, o := range settings.All() {
			e, err := c.explain(o)
			if err != nil {
				return err
			}
			all = append(all, e)
		}
		return showList(c, all, []string{"KEY", "VALUE", "FROM"}, func(e explained) []string { return []string{e.Key, orElse(e.Value, "-"), e.Origin} })
	})
	return a.group("config", "Settings, and where they come from", explain, list)
}

// build is what version prints.
type build struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func (a *app) version() *cobra.Command {
	return a.command("version", "Print the version of this build", func(_ context.Context, c call) error {
		v := build{Version: orElse(a.local.Version, "unknown"), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
		return c.print(v, func(w io.Writer) error { return terminal.Said("signalbox %s (%s, %s)", v.Version, v.Go, v.Platform)(w) })
	})
}
