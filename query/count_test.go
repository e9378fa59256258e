package query

import (
	"errors"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/value"
)

func TestTotalsSayHowExactTheyAre(t *testing.T) {
	t.Parallel()
	plan := func(rows string) value.Value {
		return value.OfJSON(`[{"Plan": {"Node Type": "Seq Scan", "Plan Rows": ` + rows + `}}]`)
	}
	for _, c := range []struct {
		name      string
		mode      Counting
		answer    value.Value
		seen      int64
		end       bool
		total     int64
		precision Precision
	}{
		{"none is asked for", CountNone, value.Value{}, 20, false, -1, Unknown},
		{"none is asked for, and the page tells", CountNone, value.Value{}, 7, true, 7, Exact},
		{"has next", CountHasNext, value.Value{}, 21, false, -1, Unknown},
		{"exact", CountExact, value.OfInt(1_000_000), 20, false, 1_000_000, Exact},
		{"exact, with rows that came since", CountExact, value.OfInt(19), 20, false, 20, Exact},
		{"exact, with rows that went since", CountExact, value.OfInt(25), 20, true, 20, Exact},
		{"capped, and fewer", CountCapped, value.OfInt(CountCap), 21, false, CountCap, Exact},
		{"capped, and more", CountCapped, value.OfInt(CountCap + 1), 21, false, CountCap, AtLeast},
		{"capped, far behind", CountCapped, value.OfInt(CountCap + 1), CountCap + 21, false, CountCap + 21, AtLeast},
		{"estimated", CountEstimated, plan("4711"), 21, false, 4711, Estimated},
		{"estimated too low", CountEstimated, plan("1"), 21, false, 21, Estimated},
		{"estimated, and the page tells", CountEstimated, plan("4711"), 3, true, 3, Exact},
		{"estimated where the database cannot, and fewer", CountEstimated, value.OfInt(100), 21, false, 100, Exact},
		{"estimated where the database cannot, and more", CountEstimated, value.OfInt(CountCap + 1), 21, false, CountCap, AtLeast},
	} {
		total, precision, err := c.mode.Settle(c.answer, c.seen, c.end)
		if err != nil || total != c.total || precision != c.precision {
			t.Errorf("%s: %d %q, %v, want %d %q", c.name, total, precision, err, c.total, c.precision)
		}
	}
	for _, strange := range []string{"", "[]", "{}", "[1]", `[{}, {}]`} {
		if _, _, err := CountEstimated.Settle(value.OfJSON(strange), 1, false); !errors.Is(err, fault.Internal) {
			t.Errorf("the plan %q: %v", strange, err)
		}
	}
}
