package pgxdriver

import (
	"bytes"
	"context"
	"errors"
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
	err := f.pool.(driver.Listener).Listen(ctx, "urutu_test", func() {
		time.AfterFunc(20*time.Millisecond, stop) // it waits for notifications by then; if not, nothing is asked either
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	if cancelRequest := []byte{4, 210, 22, 46}; bytes.Contains(sent(), cancelRequest) {
		t.Error("the server was asked to cancel what it was not doing")
	}
}
