package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/outbox"
)

// TestUnsubscribe: a group that was unsubscribed gets nothing more, others do; what it has stays until it is discarded.
func TestUnsubscribe(t *testing.T) {
	t.Parallel()
	eachOperated(t, func(o *operated) {
		topics := []string{"test.sent", "test.kept"}
		e := outbox.NewEngine(o.db, outbox.Config{}, outbox.Consumer{Destination: "old", Topics: topics}, outbox.Consumer{Destination: "other", Topics: topics[:1]})
		if err := errors.Join(e.Start(o.Context()), e.Stop(o.Context())); err != nil {
			o.Fatal(err)
		}
		publish := func() {
			o.Helper()
			if err := o.db.Do(o.Context(), func(ctx context.Context) (err error) {
				for _, topic := range topics {
					for i := range 600 {
						m := outbox.Outgoing{Type: message.Type{Topic: topic}, ID: uuid.New(), Key: fmt.Sprint(i), Payload: []byte("{}")}
						if i == 0 {
							m.At = time.Now().Add(time.Hour)
						}
						err = errors.Join(err, outbox.Put(ctx, m))
					}
				}
				return err
			}); err != nil {
				o.Fatal(err)
			}
		}
		counts := func(want ...int64) {
			o.Helper()
			var got []int64
			for _, name := range []string{"old", "other"} {
				for _, table := range []string{"urutu_message", "urutu_message_retry", "urutu_message_delayed"} {
					got = append(got, ask(o.T, o.db, "SELECT count(*) FROM "+table+" m JOIN urutu_message_destination d ON d.id = m.dest WHERE d.name = '"+name+"'"))
				}
			}
			if !slices.Equal(got, want) {
				o.Errorf("stored are %v, want %v", got, want)
			}
		}
		publish()
		if err := o.db.Do(o.Context(), noteAll); err != nil {
			o.Fatal(err)
		}
		counts(1198, 1198, 2, 599, 599, 1)
		if _, err := o.operator.Discard(o.Context(), "old", "test.sent"); !errors.Is(err, fault.Conflict) {
			o.Error(err)
		}
		if err := o.operator.Unsubscribe(o.Context(), "old", "test.sent"); err != nil {
			o.Error(err)
		}
		if err := o.operator.Unsubscribe(o.Context(), "old", "test.sent"); !errors.Is(err, fault.NotFound) {
			o.Error(err)
		}
		list, err := o.operator.Subscriptions(o.Context())
		if want := []outbox.Subscription{{"old", "test.kept"}, {"other", "test.sent"}}; err != nil || !slices.Equal(list, want) {
			o.Errorf("%v, %v", list, err)
		}
		publish()
		counts(1797, 1198, 3, 1198, 599, 2)
		if n, err := o.operator.Discard(o.Context(), "old", "test.sent"); n != 600 || err != nil {
			o.Error(n, err)
		}
		counts(1198, 599, 2, 1198, 599, 2)
	})
}

// TestUnsubscribeTask: a task is stored for whoever will handle it.
func TestUnsubscribeTask(t *testing.T) {
	t.Parallel()
	eachOperated(t, func(o *operated) {
		if err := o.db.Do(o.Context(), func(ctx context.Context) error {
			return outbox.Put(ctx, outbox.Outgoing{Type: message.Type{Topic: "test.task", Kind: message.Task}, ID: uuid.New(), Payload: []byte("{}")})
		}); err != nil {
			o.Fatal(err)
		}
		if err := o.operator.Unsubscribe(o.Context(), "test.task", "test.task"); !errors.Is(err, fault.Conflict) {
			o.Error(err)
		}
	})
}

// TestUnsubscribeTheLastOfARequiredTopic: whoever publishes it learns that nobody listens any more.
func TestUnsubscribeTheLastOfARequiredTopic(t *testing.T) {
	t.Parallel()
	eachOperated(t, func(o *operated) {
		for _, delay := range []time.Duration{0, time.Hour} {
			publish := func() error {
				m := outbox.Outgoing{Type: message.Type{Topic: "test.sent", Required: true}, ID: uuid.New(), Payload: []byte("{}")}
				if delay > 0 {
					m.At = time.Now().Add(delay)
				}
				return o.db.Do(o.Context(), func(ctx context.Context) error { return outbox.Put(ctx, m) })
			}
			e := outbox.NewEngine(o.db, outbox.Config{}, outbox.Consumer{Destination: "old", Topics: []string{"test.sent"}})
			if err := errors.Join(e.Start(o.Context()), e.Stop(o.Context()), publish(), o.operator.Unsubscribe(o.Context(), "old", "test.sent")); err != nil {
				o.Fatal(err)
			}
			if err := publish(); err != nil {
				o.Error(err) // this one finds out
			}
			if err := publish(); !errors.Is(err, fault.Misconfigured) {
				o.Errorf("delayed by %s: %v", delay, err)
			}
		}
	})
}
