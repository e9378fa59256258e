package outbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/urututest"
)

// operated is a database with messages, and an operator.
type operated struct {
	*testing.T
	db       *session.DB
	operator *outbox.Operator
	log      *bytes.Buffer // what the operator logs
}

func eachOperated(t *testing.T, f func(o *operated)) {
	urututest.Each(t, urututest.Config{}, func(t *testing.T, db *session.DB) {
		if err := db.Install(t.Context(), outbox.Component()); err != nil {
			t.Fatal(err)
		}
		o := &operated{T: t, db: db, log: &bytes.Buffer{}}
		logger := slog.New(slog.NewTextHandler(o.log, nil))
		o.operator = outbox.NewOperator(db, outbox.OperatorConfig{By: "ann", Logger: logger})
		f(o)
	})
}

// seen is told what a consumer has done, once it is in the database.
type seen chan string

func (s seen) Enabled(context.Context, slog.Level) bool { return true }
func (s seen) WithAttrs([]slog.Attr) slog.Handler       { return s }
func (s seen) WithGroup(string) slog.Handler            { return s }
func (s seen) Handle(_ context.Context, r slog.Record) error {
	s <- r.Message
	return nil
}

// expect waits for things to happen, in any order.
func (o *operated) expect(s seen, want ...string) {
	o.Helper()
	var got []string
	for range want {
		select {
		case event := <-s:
			got = append(got, event)
		case <-time.After(30 * time.Second):
			o.Fatalf("%q and no more, not %q", got, want)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		o.Fatalf("%q, not %q", got, want)
	}
}

const (
	isParked   = "a message is parked"
	isRetrying = "a message failed and is tried again"
)

// consume starts a consumer of "billing" and "mail", and returns what stops it. Its function says what becomes of a payload.
func (o *operated) consume(s seen, handle func(payload string) error) (stop func()) {
	o.Helper()
	consumer := func(group string) outbox.Consumer {
		return outbox.Consumer{
			Destination: group, Topics: []string{group + ".due"},
			Retry: func(string) outbox.Retry { return outbox.Retry{Attempts: 3, Pause: time.Hour} },
			Handle: func(ctx context.Context, d *outbox.Delivery) error {
				err := o.db.Do(ctx, func(ctx context.Context) error {
					if err := d.Acknowledge(ctx); err != nil {
						return err
					}
					return handle(string(d.Payload))
				})
				if err == nil {
					s <- string(d.Payload)
				}
				return err
			},
		}
	}
	e := outbox.NewEngine(o.db, outbox.Config{Logger: slog.New(s)}, consumer("billing"), consumer("mail"))
	if err := e.Start(o.Context()); err != nil {
		o.Fatal(err)
	}
	stop = func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := e.Stop(ctx); err != nil {
			o.Error(err)
		}
	}
	o.Cleanup(stop)
	return stop
}

// put publishes messages to a group, one for each payload.
func (o *operated) put(group, key string, payloads ...string) {
	o.Helper()
	urututest.Do(o, o.db, func(ctx context.Context) error {
		for _, p := range payloads {
			err := outbox.Put(ctx, outbox.Outgoing{
				Type: message.Type{Topic: group + ".due"}, ID: uuid.New(), Key: key,
				Headers: message.Headers{message.Tenant: "t1"}, Payload: []byte(p),
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// failures makes messages that have failed, and stops the consumer: three parked of which one was declined and one is for
// mail, and two that are tried again in up to an hour, of which one holds back a third of its key.
func (o *operated) failures() {
	o.Helper()
	events := make(seen, 100)
	stop := o.consume(events, func(payload string) error {
		switch {
		case strings.Contains(payload, "declined"):
			return &outbox.Failure{Reason: outbox.Permanent, Park: true, Err: errors.New("the card was declined")}
		case strings.Contains(payload, "broken"):
			return &outbox.Failure{Reason: outbox.Undecodable, Park: true, Err: errors.New("100% nonsense")}
		case strings.Contains(payload, "flaky"):
			return errors.New("no answer")
		}
		return nil
	})
	o.put("billing", "", `{"n":"declined"}`, `broken`, `{"n":"flaky"}`)
	o.put("billing", "a", `{"n":"flaky"}`, `{"n":"behind"}`)
	o.put("mail", "", `{"n":"declined"}`)
	o.expect(events, isParked, isParked, isParked, isRetrying, isRetrying)
	stop()
}

// list returns what a filter selects, by destination and payload.
func (o *operated) list(f outbox.Filter) []outbox.Stored {
	o.Helper()
	list, next, err := o.operator.List(o.Context(), f, outbox.Page{})
	if err != nil || next != "" {
		o.Fatal(err, next)
	}
	return list
}

func TestPromise42_ListAndShowWhatFailed(t *testing.T) {
	t.Parallel()
	eachOperated(t, func(o *operated) {
		o.failures()
		for want, f := range map[string]outbox.Filter{
			"parked permanent,parked permanent,parked undecodable,retrying error,retrying error": {},
			"parked permanent,parked permanent,parked undecodable":                               {State: outbox.Parked},
			"retrying error,retrying error":                                                      {State: outbox.Retrying, Destination: "billing"},
			"parked permanent":                                                                   {Destination: "mail"},
			"parked permanent,parked permanent":                                                  {Reason: outbox.Permanent},
			"parked permanent,parked undecodable":                                                {Topic: "billing.due", State: outbox.Parked},
			"parked undecodable":                                                                 {ErrorContains: "0% n"},
			"":                                                                                   {ErrorContains: "DECLINED"},
		} {
			var got []string
			for _, m := range o.list(f) {
				got = append(got, fmt.Sprintf("%s %s", m.State, m.Reason))
			}
			slices.Sort(got)
			if s := strings.Join(got, ","); s != want {
				o.Errorf("%+v selects %s, not %s", f, s, want)
			}
		}

		m := o.list(outbox.Filter{Destination: "mail"})[0]
		if m.Payload != nil || m.Topic != "mail.due" || m.LastError != "the card was declined" || m.Failures != 1 || !m.NextAt.IsZero() ||
			time.Since(m.FailedAt).Abs() > time.Minute || m.FailedAt.Before(m.CreatedAt.Truncate(time.Millisecond)) {
			o.Errorf("listed %+v", m)
		}
		shown, err := o.operator.Show(o.Context(), m.ID)
		if err != nil || string(shown.Payload) != `{"n":"declined"}` || shown.Headers[message.Tenant] != "t1" || shown.Version != 1 {
			o.Errorf("showed %+v, %v", shown, err)
		}
		if shown.MessageID != m.MessageID || shown.State != outbox.Parked || shown.Lane != m.Lane {
			o.Errorf("showed %+v", shown)
		}
		retrying := o.list(outbox.Filter{State: outbox.Retrying})[0]
		if left := time.Until(retrying.NextAt); left <= 0 || left > time.Hour {
			o.Errorf("%+v is tried again in %s", retrying, left)
		}
	})
}

func TestPromise42_ShowMessageThatHasNotFailed(t *testing.T) {
	t.Parallel()
	eachOperated(t, func(o *operated) {
		o.failures()
		behind := o.list(outbox.Filter{State: outbox.Retrying})
		id := behind[0].ID
		for _, m := range behind {
			if m.Key == "a" {
				id = m.ID + 1 // its key's next message came right after it
			}
		}
		shown, err := o.operator.Show(o.Context(), id)
		if err != nil || shown.State != outbox.Waiting || shown.Key != "a" || shown.Failures != 0 || !shown.FailedAt.IsZero() {
			o.Errorf("showed %+v, %v", shown, err)
		}
		if _, err := o.operator.Show(o.Context(), 1<<40); fault.KindOf(err) != fault.NotFound {
			o.Errorf("a message that is not there is %v", err)
		}
	})
}

// TestShowMessageOfWhomNoWorkerHasStarted: a task is stored before its first worker has ever started.
func TestShowMessageOfWhomNoWorkerHasStarted(t *testing.T) {
	t.Parallel()
	eachOperated(t, func(o *operated) {
		task := outbox.Outgoing{Type: message.Type{Topic: "report.due", Kind: message.Task}, ID: uuid.New(), Key: "a", Payload: []byte("{}")}
		urututest.Do(o, o.db, func(ctx context.Context) error { return outbox.Put(ctx, task) })
		var id int64
		var lane int
		urututest.Do(o, o.db, func(ctx context.Context) error {
			return session.From(ctx).QueryRowContext(ctx, "SELECT id, lane FROM urutu_message").Scan(&id, &lane)
		})
		shown, err := o.operator.Show(o.Context(), id)
		if err != nil || shown.ID != id || shown.MessageID != task.ID || shown.State != outbox.Waiting || string(shown.Payload) != "{}" {
			o.Fatalf("showed %+v, %v", shown, err)
		}
		if shown.Destination != "report.due" || shown.Lane != lane {
			o.Errorf("it is in lane %d of %s, not %d", shown.Lane, shown.Destination, lane)
		}
	})
}

func TestListPages(t *testing.T) {
	t.Parallel()
	eachOperated(t, func(o *operated) {
		o.failures()
		all := o.list(outbox.Filter{})
		var paged []outbox.Stored
		for next, more := "", true; more; more = next != "" {
			list, after, err := o.operator.List(o.Context(), outbox.Filter{}, outbox.Page{After: next, Limit: 2})
			if err != nil || len(list) > 2 || len(list) == 0 {
				o.Fatal(list, err)
			}
			paged, next = append(paged, list...), after
		}
		if fmt.Sprint(paged) != fmt.Sprint(all) || len(all) != 5 {
			o.Errorf("in pages %v, at once %v", paged, all)
		}
		for _, after := range []string{"nonsense", "1-2-3 ", "1-2"} {
			if _, _, err := o.operator.List(o.Context(), outbox.Filter{}, outbox.Page{After: after}); fault.KindOf(err) != fault.BadRequest {
				o.Errorf("the page after %q is %v", after, err)
			}
		}
		if _, _, err := o.operator.List(o.Context(), outbox.Filter{State: outbox.Waiting}, outbox.Page{}); fault.KindOf(err) != fault.Invalid {
			o.Errorf("those that only wait are %v", err)
		}
	})
}

func TestPromise42_RetryWithAWorkerRunning(t *testing.T) {
	t.Parallel()
	eachOperated(t, func(o *operated) {
		o.failures()
		events := make(seen, 100)
		o.consume(events, func(string) error { return nil })
		mail := o.list(outbox.Filter{Destination: "mail"})[0]
		// What waits for its pause or is parked, and what waits behind it, is left alone.
		n, err := o.operator.Retry(o.Context(), outbox.Filter{Reason: outbox.Permanent, Destination: "mail"})
		if err != nil || n != 1 {
			o.Fatal(n, err)
		}
		o.expect(events, `{"n":"declined"}`)
		n, err = o.operator.Retry(o.Context(), outbox.Filter{State: outbox.Retrying})
		if err != nil || n != 2 {
			o.Fatal(n, err)
		}
		o.expect(events, `{"n":"flaky"}`, `{"n":"flaky"}`, `{"n":"behind"}`)
		ids := []int64{}
		for _, m := range o.list(outbox.Filter{}) {
			ids = append(ids, m.ID)
		}
		n, err = o.operator.Retry(o.Context(), outbox.Filter{IDs: ids})
		if err != nil || n != 2 {
			o.Fatal(n, err)
		}
		o.expect(events, `{"n":"declined"}`, `broken`)
		o.nothingLeft()
		if log := o.log.String(); !strings.Contains(log, "by=ann") || !strings.Contains(log, fmt.Sprintf("destination=mail messages=[%d]", mail.ID)) ||
			strings.Contains(log, "declined") {
			o.Errorf("it logs %s", log)
		}
	})
}

// TestRetryWithoutWorkers: it is noted for whoever comes, as if the messages had never failed.
func TestRetryWithoutWorkers(t *testing.T) {
	t.Parallel()
	eachOperated(t, func(o *operated) {
		o.failures()
		if n, err := o.operator.Retry(o.Context(), outbox.Filter{State: outbox.AnyState}); n != 5 || err != nil {
			o.Fatal(n, err)
		}
		for _, m := range o.list(outbox.Filter{}) {
			if m.State != outbox.Retrying || m.Failures != 0 || time.Until(m.NextAt) > 0 || m.Reason == "" || m.LastError == "" {
				o.Errorf("%+v", m)
			}
		}
	})
}

// nothingLeft fails the test if a table has rows of messages.
func (o *operated) nothingLeft() {
	o.Helper()
	for _, table := range []string{"urutu_message", "urutu_message_retry"} {
		script := &driver.Script{Statements: []driver.Statement{{SQL: "SELECT * FROM " + table, Raw: true}}}
		rows := &counter{}
		if err := o.db.Run(o.Context(), "test", driver.Read, script, rows); err != nil || rows.n != 0 {
			o.Errorf("%s has %d rows, %v", table, rows.n, err)
		}
	}
}

type counter struct{ n int }

func (c *counter) Row(int, []driver.Cell) error { c.n++; return nil }
func (*counter) Done(int, int64, int64) error   { return nil }

func TestPromise42_SkipLetsTheKeyGoOn(t *testing.T) {
	t.Parallel()
	eachOperated(t, func(o *operated) {
		o.failures()
		events := make(seen, 100)
		o.consume(events, func(string) error { return nil })
		n, err := o.operator.Skip(o.Context(), outbox.Filter{State: outbox.Retrying})
		if err != nil || n != 2 {
			o.Fatal(n, err)
		}
		o.expect(events, `{"n":"behind"}`)
		if n, err = o.operator.Skip(o.Context(), outbox.Filter{State: outbox.Parked}); err != nil || n != 3 {
			o.Fatal(n, err)
		}
		o.nothingLeft()
		for name, change := range map[string]func(context.Context, outbox.Filter) (int, error){
			"skip": o.operator.Skip, "retry": o.operator.Retry,
		} {
			if _, err := change(o.Context(), outbox.Filter{}); fault.KindOf(err) != fault.Invalid {
				o.Errorf("%s everything is %v", name, err)
			}
			if n, err := change(o.Context(), outbox.Filter{State: outbox.Parked}); n != 0 || err != nil {
				o.Errorf("%s nothing is %d, %v", name, n, err)
			}
		}
	})
}

// TestPromise42_ParkedStaysParked: another worker takes the lanes over, and leaves alone what waits for an operator.
func TestPromise42_ParkedStaysParked(t *testing.T) {
	t.Parallel()
	eachOperated(t, func(o *operated) {
		o.failures()
		events := make(seen, 100)
		stop := o.consume(events, func(string) error { return nil })
		o.put("billing", "", "later")
		o.put("mail", "", "later")
		o.expect(events, "later", "later")
		stop()
		if n := len(o.list(outbox.Filter{})); n != 5 {
			o.Errorf("%d of 5 messages are left", n)
		}
	})
}

func TestExport(t *testing.T) {
	t.Parallel()
	eachOperated(t, func(o *operated) {
		o.failures()
		var out bytes.Buffer
		n, err := o.operator.Export(o.Context(), &out, outbox.Filter{State: outbox.Parked, Destination: "billing"})
		if err != nil || n != 2 {
			o.Fatal(n, err)
		}
		payloads := map[string]any{}
		for line := range strings.Lines(out.String()) {
			var m struct {
				outbox.Stored
				Payload json.RawMessage `json:"payload"`
				Raw     []byte          `json:"payload_base64"`
			}
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				o.Fatal(err)
			}
			if m.Destination != "billing" || m.ID == 0 || m.MessageID == uuid.Nil || m.Headers[message.Tenant] != "t1" || m.FailedAt.IsZero() {
				o.Errorf("exported %s", line)
			}
			payloads[string(m.Reason)] = string(m.Payload) + string(m.Raw)
		}
		if got := fmt.Sprint(payloads); got != `map[permanent:{"n":"declined"} undecodable:broken]` {
			o.Errorf("exported %s", got)
		}
		if n, err := o.operator.Export(o.Context(), full{}, outbox.Filter{}); n != 0 || !errors.Is(err, errFull) || fault.KindOf(err) != fault.Internal {
			o.Errorf("on a full disk it is %d, %v", n, err)
		}
	})
}

type full struct{}

var errFull = errors.New("no space left")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestLags(t *testing.T) {
	t.Parallel()
	eachOperated(t, func(o *operated) {
		o.failures()
		before := time.Now()
		o.put("mail", "", "later", "later", "later")
		var billing, mail outbox.Lag
		lags, err := o.operator.Lags(o.Context())
		if err != nil {
			o.Fatal(err)
		}
		for _, l := range lags {
			sum := map[string]*outbox.Lag{"billing": &billing, "mail": &mail}[l.Destination]
			sum.Parked, sum.Retrying = sum.Parked+l.Parked, sum.Retrying+l.Retrying
			sum.Oldest, sum.OldestWaiting = earlier(sum.Oldest, l.Oldest), earlier(sum.OldestWaiting, l.OldestWaiting)
			if l.Owned || l.More || l.Epoch != 1 {
				o.Errorf("%+v", l)
			}
		}
		if billing.Parked != 2 || billing.Retrying != 2 || mail.Parked != 1 || mail.Retrying != 0 {
			o.Errorf("billing is %+v, mail %+v", billing, mail)
		}
		if billing.Oldest.IsZero() || !billing.OldestWaiting.IsZero() {
			o.Errorf("billing is %+v: what waits behind a failure does not count", billing)
		}
		if !mail.Oldest.Before(before) || mail.OldestWaiting.Before(before.Truncate(time.Microsecond)) {
			o.Errorf("mail is %+v", mail)
		}
	})
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func TestOperateWithoutTables(t *testing.T) {
	t.Parallel()
	urututest.Each(t, urututest.Config{}, func(t *testing.T, db *session.DB) {
		_, err := outbox.NewOperator(db, outbox.OperatorConfig{}).Lags(t.Context())
		if fault.KindOf(err) != fault.Misconfigured {
			t.Errorf("without tables it is %v", err)
		}
		_, err = outbox.NewOperator(db, outbox.OperatorConfig{Connection: "nowhere"}).Lags(t.Context())
		if fault.KindOf(err) != fault.Misconfigured {
			t.Errorf("on an unknown connection it is %v", err)
		}
	})
}
