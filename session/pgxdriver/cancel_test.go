package pgxdriver

import (
	"context"
	"testing"
	"time"

	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// Once a script has returned that was canceled, nothing is under way any more that could reach the next one.
func TestNothingIsLeftOfACancel(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := f.lend()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	sleep := query([]value.Type{value.TypeText}, "SELECT pg_sleep(20)::text")
	if err := c.Run(ctx, &driver.Script{Statements: []driver.Statement{sleep}}, driver.Discard); err == nil {
		t.Fatal("it was not canceled")
	}
	err := c.(*conn).sc.Raw(func(dc any) error {
		pc, err := native(dc)
		if err != nil {
			return err
		}
		st, err := stateOf(t.Context(), pc)
		if err != nil {
			return err
		}
		select {
		case <-st.handler.done:
		default:
			t.Error("a request to cancel may be under way")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
