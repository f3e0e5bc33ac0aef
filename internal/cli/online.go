package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/receipt"
	"signalbox.dev/signalbox/internal/terminal"
	"signalbox.dev/signalbox/internal/wire"
)

// client is the server as the settings name it.
func (c call) client() (*wire.Client, error) {
	if _, set := c.Env("SIGNALBOX_TOKEN"); set {
		return nil, openSecret("the variable SIGNALBOX_TOKEN")
	}
	var token string
	if path := c.setting("token-file"); path != "" {
		var err error
		if token, err = c.secretFile("token-file", path); err != nil {
			return nil, err
		}
	}
	return c.visitor(token)
}

// visitor is the server, called with a token or, where it is empty, with none.
func (c call) visitor(token string) (*wire.Client, error) {
	o := wire.Options{Server: c.setting("server"), Token: token, CA: c.setting("ca"), Agent: "signalbox/" + c.local.Version}
	if err := c.keepReceipts(); err != nil {
		return nil, err
	}
	if c.receipts != nil {
		o.Receipts = c.receipts.Keep
	}
	return wire.New(o)
}

// keepReceipts opens the folder of receipts. One that was named must be there
// before anything is asked; where none was named, what cannot be kept is said.
func (c call) keepReceipts() error {
	dir := c.setting("receipts")
	if dir == receipt.Off || c.receipts != nil {
		return nil
	}
	f := &receipt.Folder{Path: dir, Lost: func(err error) { c.note("a receipt was not kept: %s", err) }}
	if dir == "" {
		f.Path = receipt.Home(c.Env, c.setting("server"))
	} else if err := f.Make(); err != nil {
		return err
	}
	c.receipts = f
	return nil
}

// online is a command that talks to the server.
func (a *app) online(use, short string, run func(context.Context, call, *wire.Client) error) *cobra.Command {
	return a.command(use, short, func(ctx context.Context, c call) error {
		client, err := c.client()
		if err != nil {
			return err
		}
		return run(ctx, c, client)
	})
}

// paged adds the flags of a list.
func paged(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().Int("limit", 50, "how many to list, 1 to 1000")
	return cmd
}

// collect reads pages until there are no more, or as many as --limit says. What
// is left out is said.
func collect[T any](c call, page func(wire.Paging) (wire.Page[T], error)) ([]T, error) {
	limit, err := c.flags.GetInt("limit")
	if err != nil || limit < 1 || limit > 1000 {
		return nil, fault.Invalidf("cli.limit", "--limit is 1 to 1000").On("--limit")
	}
	items := []T{}
	cursor := ""
	for {
		p, err := page(wire.Paging{Cursor: cursor, Limit: min(limit-len(items), 200)})
		if err != nil {
			return nil, err
		}
		items = append(items, p.Items...)
		if p.Next == "" || len(p.Items) == 0 {
			return items, nil
		}
		if len(items) >= limit {
			c.note("there are more: --limit %d lists twice as many", min(2*limit, 1000))
			return items[:limit], nil
		}
		cursor = p.Next
	}
}

// showList prints a list: each item as a line of the table.
func showList[T any](c call, items []T, head []string, line func(T) []string) error {
	return c.print(items, func(w io.Writer) error {
		lines := make([][]string, len(items))
		for i, item := range items {
			lines[i] = line(item)
		}
		return terminal.Rows(head, lines)(w)
	})
}
