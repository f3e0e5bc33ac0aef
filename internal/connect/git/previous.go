package git

import (
	"context"
	"errors"
	"strings"

	"signalbox.dev/signalbox/internal/change"
)

// fallback is how many commits back the version before is taken to be where no
// tag says so.
const fallback = 20

// Previous is the version before another: the nearest tag that begins with v
// and a digit below it, else the commit twenty before on the first line of
// parents, else "" for the beginning.
func Previous(ctx context.Context, dir, to string) (previous string, err error) {
	r, err := enter(ctx, Options{Repository: dir})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, r.leave()) }()
	id, err := r.source.resolve(ctx, to, "to", &change.Raw{})
	if err != nil {
		return "", err
	}
	tag, err := r.source.line(ctx, "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", id+"^")
	if err == nil {
		return tag, nil
	}
	if _, none := errors.AsType[*failure](err); !none {
		return "", err
	}
	line, err := r.output(ctx, (fallback+2)*65, "rev-list", "--first-parent", "--max-count=21", id)
	if err != nil {
		return "", unreadable(err)
	}
	commits := strings.Fields(string(line))
	if oldest := commits[len(commits)-1]; oldest != id {
		return oldest, nil
	}
	return "", nil
}
