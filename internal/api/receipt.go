package api

import (
	"encoding/base64"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/wire"
)

// maxReceipts is the most receipts in one answer. What a command records in
// more parts is covered all the same: each receipt signs the whole tree before it.
const maxReceipts = 4

// acknowledge puts the receipt of what was recorded into the answer's header.
// A receipt that cannot be given takes nothing from the answer: the facts stand.
func (c *call) acknowledge(r journal.Receipt) {
	note, err := c.Journal.Acknowledge(c.ctx, r)
	if err != nil && c.ctx.Err() == nil { // whoever has gone needs none
		c.Log.Error("no receipt was given", "reference", idOf(c.ctx), "command", r.Command, "error", err)
	}
	if note == "" {
		return
	}
	h := c.w.Header()
	h.Add(wire.ReceiptHeader, base64.StdEncoding.EncodeToString([]byte(note)))
	if all := h[wire.ReceiptHeader]; len(all) > maxReceipts {
		h[wire.ReceiptHeader] = all[1:]
	}
}

// showReceipt gives the receipt of the command that recorded a fact, again or for the first time.
func showReceipt(c *call) error {
	position, err := c.number("position", 0)
	if err != nil {
		return err
	}
	f, err := c.Journal.Fact(c.ctx, position)
	if err != nil {
		return err
	}
	r, err := c.Journal.Command(c.ctx, f.Command)
	if err != nil {
		return err
	}
	note, err := c.Journal.Acknowledge(c.ctx, r)
	if err != nil {
		return err
	}
	if note == "" || position < r.First || position >= r.Next {
		return fault.New(fault.NotFound, "journal.no-receipt", "there is no receipt for this position")
	}
	return c.plain([]byte(note))
}
