package outbox_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// noon is a time that delayed messages wait for, long after every test.
var noon = time.Date(2100, 1, 1, 12, 0, 0, 0, time.UTC)

// delay publishes a message that waits for its time; what it says is its Once, or its key without one.
func (o *operated) delay(group, key, once string, at time.Time) {
	o.Helper()
	urututest.Do(o, o.db, func(ctx context.Context) error {
		return outbox.Put(ctx, outbox.Outgoing{
			Type: message.Type{Topic: group + ".due", Version: 2}, ID: uuid.New(), Key: key, At: at, Once: once,
			Headers: message.Headers{message.Tenant: "t1"}, Payload: []byte(once),
		})
	})
}

// delays makes messages that wait for their time, which nobody looks after.
func (o *operated) delays() {
	o.Helper()
	o.consume(make(seen, 100), func(string) error { return nil })()
	o.delay("mail", "m", "newsletter", noon)
	o.delay("billing", "b", "third", noon.Add(2*time.Hour))
	o.delay("billing", "a", "first", noon)
	o.delay("billing", "a", "fourth", noon.Add(3*time.Hour))
	o.delay("billing", "", "second", noon.Add(time.Microsecond))
	o.delay("mail", "m", "reminder", noon.Add(-time.Hour))
}

// delayed returns what a filter selects.
func (o *operated) delayed(f outbox.DelayedFilter) []outbox.Stored {
	o.Helper()
	list, next, err := o.operator.ListDelayed(o.Context(), f, outbox.Page{})
	if err != nil || next != "" {
		o.Fatal(err, next)
	}
	return list
}

// onces names messages by what makes them unique.
func onces(list []outbox.Stored) string {
	var names []string
	for _, m := range list {
		names = append(names, m.Once)
	}
	return strings.Join(names, " ")
}

func TestListDelayed(t *testing.T) {
	t.Parallel()
	eachOperated(t, func(o *operated) {
		if list := o.delayed(outbox.DelayedFilter{}); len(list) > 0 {
			o.Errorf("there is %v", list)
		}
		o.delays()
		ids := map[string]int64{}
		for _, m := range o.delayed(outbox.DelayedFilter{}) {
			ids[m.Once] = m.ID
		}
		for _, c := range []struct {
			f    outbox.DelayedFilter
			want string
		}{
			{outbox.DelayedFilter{}, "first second third fourth reminder newsletter"},
			{outbox.DelayedFilter{All: true}, "first second third fourth reminder newsletter"},
			{outbox.DelayedFilter{Destination: "mail"}, "reminder newsletter"},
			{outbox.DelayedFilter{Destination: "nobody"}, ""},
			{outbox.DelayedFilter{Topic: "billing.due"}, "first second third fourth"},
			{outbox.DelayedFilter{Key: "a"}, "first fourth"},
			{outbox.DelayedFilter{Key: "a", Topic: "mail.due"}, ""},
			{outbox.DelayedFilter{Once: "third"}, "third"},
			{outbox.DelayedFilter{Once: "third", Key: "a"}, ""},
			{outbox.DelayedFilter{Once: "third", Destination: "mail"}, ""},
			{outbox.DelayedFilter{From: noon}, "first second third fourth newsletter"},
			{outbox.DelayedFilter{From: noon.Add(1)}, "second third fourth"},
			{outbox.DelayedFilter{Until: noon.Add(1)}, "first reminder newsletter"},
			{outbox.DelayedFilter{From: noon.Add(time.Hour), Destination: "billing"}, "third fourth"},
			{outbox.DelayedFilter{Until: noon}, "reminder"},
			{outbox.DelayedFilter{From: noon, Until: noon.Add(time.Hour).In(time.FixedZone("east", 3600))}, "first second newsletter"},
			{outbox.DelayedFilter{From: noon.Add(time.Hour), Until: noon}, ""},
			{outbox.DelayedFilter{IDs: []int64{ids["newsletter"], ids["fourth"], ids["second"], 1 << 40}}, "second fourth newsletter"},
			{outbox.DelayedFilter{IDs: []int64{ids["newsletter"], ids["fourth"]}, Destination: "billing", Key: "a"}, "fourth"},
			{outbox.DelayedFilter{IDs: []int64{ids["newsletter"]}, Until: noon}, ""},
		} {
			if got := onces(o.delayed(c.f)); got != c.want {
				o.Errorf("%+v selects %q, not %q", c.f, got, c.want)
			}
		}
		for _, year := range []int{1969, 10000} {
			at := time.Date(year, 7, 1, 0, 0, 0, 0, time.UTC)
			for _, f := range []outbox.DelayedFilter{{From: at}, {Until: at}} {
				if _, _, err := o.operator.ListDelayed(o.Context(), f, outbox.Page{}); fault.KindOf(err) != fault.Invalid {
					o.Errorf("the year %d is %v", year, err)
				}
			}
		}
	})
}

func TestListDelayedPages(t *testing.T) {
	t.Parallel()
	eachOperated(t, func(o *operated) {
		o.delays()
		all := o.delayed(outbox.DelayedFilter{})
		var ids []int64
		for _, m := range all {
			ids = append(ids, m.ID)
		}
		for limit := 1; limit <= len(all); limit++ {
			for _, f := range []outbox.DelayedFilter{{}, {IDs: ids}, {From: noon.Add(-24 * time.Hour)}} {
				var paged []outbox.Stored
				pages := 0
				for next, more := "", true; more; more = next != "" {
					list, after, err := o.operator.ListDelayed(o.Context(), f, outbox.Page{After: next, Limit: limit})
					if err != nil || len(list) > limit || len(list) == 0 {
						o.Fatal(list, err)
					}
					paged, next, pages = append(paged, list...), after, pages+1
				}
				if fmt.Sprint(paged) != fmt.Sprint(all) || pages != (len(all)+limit-1)/limit {
					o.Errorf("%+v in pages of %d is %s", f, limit, onces(paged))
				}
			}
		}
		for _, after := range []string{"nonsense", "1-2-3 ", "1-2", "1--5-3", "1-253402300800000000-3", "1-9223372036854775807-3"} {
			if _, _, err := o.operator.ListDelayed(o.Context(), outbox.DelayedFilter{}, outbox.Page{After: after}); fault.KindOf(err) != fault.BadRequest {
				o.Errorf("the page after %q is %v", after, err)
			}
		}
	})
}

// TestListDelayedLooksAtAPart: one topic among many messages is found, page by page, and a page does not look at all of them.
func TestListDelayedLooksAtAPart(t *testing.T) {
	t.Parallel()
	eachOperated(t, func(o *operated) {
		o.consume(make(seen, 100), func(string) error { return nil })()
		o.delay("billing", "x", "first", noon.Add(-time.Hour))
		urututest.Do(o, o.db, func(ctx context.Context) error {
			_, err := session.From(ctx).ExecContext(ctx, "INSERT INTO urutu_message_delayed (dest, deliver_at, slot, msg_id, topic, headers, payload, created_at)"+
				" WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 12000)"+
				" SELECT dest, deliver_at, slot, msg_id, 'other', headers, payload, created_at FROM urutu_message_delayed, s")
			return err
		})
		o.delay("billing", "x", "last", noon)
		o.delay("mail", "x", "letter", noon)
		for _, f := range []outbox.DelayedFilter{{Topic: "billing.due"}, {Key: "x", Destination: "billing"}} {
			var got [][]string
			for next, more := "", true; more; more = next != "" {
				list, after, err := o.operator.ListDelayed(o.Context(), f, outbox.Page{After: next})
				if err != nil {
					o.Fatal(err)
				}
				got, next = append(got, strings.Fields(onces(list))), after
			}
			if s := fmt.Sprint(got); s != "[[first] [] [last]]" {
				o.Errorf("%+v is found as %s", f, s)
			}
		}
		if n, err := o.operator.Cancel(o.Context(), outbox.DelayedFilter{Key: "x"}); n != 3 || err != nil {
			o.Errorf("%d of 3 are canceled, %v", n, err)
		}
		if n, err := o.operator.DeliverNow(o.Context(), outbox.DelayedFilter{Destination: "billing"}); n != 12000 || err != nil {
			o.Errorf("%d of 12000 are delivered now, %v", n, err)
		}
	})
}

func TestShowDelayed(t *testing.T) {
	t.Parallel()
	eachOperated(t, func(o *operated) {
		o.delays()
		m := o.delayed(outbox.DelayedFilter{Once: "third"})[0]
		if m.Payload != nil || m.Headers != nil || m.State != outbox.Delayed || m.Destination != "billing" || m.Topic != "billing.due" || m.Key != "b" ||
			!m.DeliverAt.Equal(noon.Add(2*time.Hour)) || time.Since(m.CreatedAt).Abs() > time.Minute || m.MessageID == uuid.Nil {
			o.Errorf("listed %+v", m)
		}
		shown, err := o.operator.ShowDelayed(o.Context(), m.ID)
		if err != nil || string(shown.Payload) != "third" || shown.Headers[message.Tenant] != "t1" || shown.Version != 2 {
			o.Errorf("showed %+v, %v", shown, err)
		}
		shown.Payload, shown.Headers, shown.Version = nil, nil, 0
		if fmt.Sprint(shown) != fmt.Sprint(m) {
			o.Errorf("showed %+v, listed %+v", shown, m)
		}
		if _, err := o.operator.ShowDelayed(o.Context(), 1<<40); fault.KindOf(err) != fault.NotFound {
			o.Errorf("a message that is not there is %v", err)
		}
		// It comes into the lane that was shown.
		if n, err := o.operator.DeliverNow(o.Context(), outbox.DelayedFilter{IDs: []int64{m.ID}}); n != 1 || err != nil {
			o.Fatal(n, err)
		}
		events := make(seen, 100)
		stop := o.consume(events, func(string) error { return &outbox.Failure{Reason: outbox.Permanent, Park: true, Err: errFull} })
		o.expect(events, isParked)
		stop()
		if moved := o.list(outbox.Filter{})[0]; moved.Lane != m.Lane || moved.MessageID != m.MessageID || moved.Once != "" || !moved.DeliverAt.IsZero() {
			o.Errorf("%+v has become %+v", m, moved)
		}
	})
}

func TestCancelAndDeliverNow(t *testing.T) {
	t.Parallel()
	eachOperated(t, func(o *operated) {
		o.delays()
		o.delay("mail", "", "tomorrow", noon.Add(24*time.Hour))
		events := make(seen, 100)
		o.consume(events, func(string) error { return nil })
		for name, change := range map[string]func(context.Context, outbox.DelayedFilter) (int, error){
			"cancel": o.operator.Cancel, "deliver": o.operator.DeliverNow,
		} {
			if _, err := change(o.Context(), outbox.DelayedFilter{}); fault.KindOf(err) != fault.Invalid {
				o.Errorf("%s everything is %v", name, err)
			}
			if n, err := change(o.Context(), outbox.DelayedFilter{Once: "nothing"}); n != 0 || err != nil {
				o.Errorf("%s nothing is %d, %v", name, n, err)
			}
		}
		if o.log.Len() > 0 {
			o.Errorf("without a change it logs %s", o.log)
		}
		canceled := o.delayed(outbox.DelayedFilter{Destination: "billing", From: noon.Add(time.Hour)})
		if n, err := o.operator.Cancel(o.Context(), outbox.DelayedFilter{Destination: "billing", From: noon.Add(time.Hour)}); n != 2 || err != nil {
			o.Fatal(n, err)
		}
		log := o.log.String()
		ids := []int64{canceled[0].ID, canceled[1].ID}
		slices.Sort(ids)
		if !strings.Contains(log, "by=ann") || !strings.Contains(log, fmt.Sprintf(`destination=billing delayed="[%d %d]"`, ids[0], ids[1])) || strings.Contains(log, "third") {
			o.Errorf("it logs %s", log)
		}
		if n, err := o.operator.DeliverNow(o.Context(), outbox.DelayedFilter{Until: noon.Add(time.Hour)}); n != 4 || err != nil {
			o.Fatal(n, err)
		}
		o.expect(events, "first", "second", "newsletter", "reminder")
		if got := onces(o.delayed(outbox.DelayedFilter{})); got != "tomorrow" {
			o.Errorf("what waits is %q", got)
		}
		if n, err := o.operator.Cancel(o.Context(), outbox.DelayedFilter{All: true}); n != 1 || err != nil {
			o.Fatal(n, err)
		}
		o.nothingLeft()
	})
}

// TestDeliverNowKeepsTheOrder: messages of a key come in the order of the times that they had, behind those whose time has
// come already.
func TestDeliverNowKeepsTheOrder(t *testing.T) {
	t.Parallel()
	eachOperated(t, func(o *operated) {
		o.consume(make(seen, 100), func(string) error { return nil })()
		for _, i := range []int{3, 1, 4, 2, 5} {
			o.delay("billing", "a", fmt.Sprint(i), noon.Add(time.Duration(i)*time.Microsecond))
		}
		o.delay("billing", "a", "0", time.Now().Add(-time.Minute))
		o.delay("billing", "a", "6", noon.Add(time.Hour))
		before := o.delayed(outbox.DelayedFilter{Once: "0"})[0].DeliverAt
		if n, err := o.operator.DeliverNow(o.Context(), outbox.DelayedFilter{Until: noon.Add(time.Minute)}); n != 6 || err != nil {
			o.Fatal(n, err)
		}
		if got := onces(o.delayed(outbox.DelayedFilter{})); got != "0 1 2 3 4 5 6" {
			o.Errorf("the order is %s", got)
		}
		for _, m := range o.delayed(outbox.DelayedFilter{Until: noon}) {
			if late := time.Since(m.DeliverAt); late < 0 || late > 2*time.Minute || m.Once == "0" && !m.DeliverAt.Equal(before) {
				o.Errorf("%s is late by %s", m.Once, late)
			}
		}
		events := make(seen, 100)
		o.consume(events, func(string) error { return nil })
		for i := range 6 {
			o.expect(events, fmt.Sprint(i))
		}
	})
}
