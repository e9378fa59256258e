package pgxdriver

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/urutu-go/urutu/session/driver"
)

// TestListeningEndsWithItsContext: a connection that listens runs no statement which the server could be asked to cancel.
// It was asked, and waited for, so that a worker took three seconds to stop, and had its lanes for as long.
func TestListeningEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f := setup(t)
	sent := f.sent()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	err := f.pool.(driver.Listener).Listen(ctx, "urutu_test", func(string) {
		time.AfterFunc(20*time.Millisecond, stop) // it waits for notifications by then; if not, nothing is asked either
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	if cancelRequest := []byte{4, 210, 22, 46}; bytes.Contains(sent(), cancelRequest) {
		t.Error("the server was asked to cancel what it was not doing")
	}
}

// TestListeningHearsWhatIsSaid: first that it listens, then what each notification says.
func TestListeningHearsWhatIsSaid(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	c := f.lend()
	notify := func(text string) { f.must(c, nil, driver.Stay, query(nil, text)) }
	var heard []string
	err := f.pool.(driver.Listener).Listen(ctx, "urutu_said", func(payload string) {
		switch heard = append(heard, payload); len(heard) {
		case 1:
			notify("NOTIFY urutu_said, 'something'")
		case 2:
			notify("NOTIFY urutu_said")
		default:
			stop()
		}
	})
	if want := []string{"", "something", ""}; !slices.Equal(heard, want) {
		t.Errorf("heard %q, want %q: %v", heard, want, err)
	}
}
