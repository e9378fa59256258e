package sqlitedriver

import (
	"context"
	"testing"
	"time"

	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// isReader asks a connection what it is.
func isReader(t *testing.T, c *conn) bool {
	t.Helper()
	return one(t, c, "PRAGMA query_only") == value.OfInt(1)
}

func TestReadOneTakesAnIdleWriter(t *testing.T) {
	t.Parallel()

	p := openFile(t, t.TempDir())
	early := acquire(t, p, driver.ReadOne)
	if !isReader(t, early) {
		t.Error("it took a writer that has written nothing")
	}
	early.Release()
	writer := newWriter(t, p)
	mustRun(t, writer, statement("CREATE TABLE t (x)"))
	beside := acquire(t, p, driver.ReadOne)
	if !isReader(t, beside) {
		t.Error("it took a writer that somebody has")
	}
	beside.Release()
	writer.Release()
	first, second := acquire(t, p, driver.ReadOne), acquire(t, p, driver.ReadOne)
	if isReader(t, first) || !isReader(t, second) {
		t.Error("of two at once, not just the first took the idle writer")
	}
	first.Release()
	second.Release()
	if again := acquire(t, p, driver.ReadOne); isReader(t, again) {
		t.Error("what has been given back is not taken again")
	}
	plain := acquire(t, p, driver.Read)
	if !isReader(t, plain) {
		t.Error("a plain read took the writer")
	}
}

// TestReadOneNeverWaitsForTheWriter: who has the writer may be waiting for the read.
func TestReadOneNeverWaitsForTheWriter(t *testing.T) {
	t.Parallel()

	p := openFile(t, t.TempDir())
	first := newWriter(t, p)
	mustRun(t, first, statement("CREATE TABLE t (x)"))
	first.Release()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	lend := func(access driver.Access) driver.Conn {
		c, err := p.Acquire(ctx, access)
		if err != nil {
			t.Error(err)
			return nil
		}
		return c
	}
	for range 3000 {
		read := make(chan struct{})
		go func() {
			defer close(read)
			if c := lend(driver.ReadOne); c != nil {
				c.Release()
			}
		}()
		writer := lend(driver.Write)
		<-read
		if writer == nil {
			return
		}
		writer.Release()
	}
}
