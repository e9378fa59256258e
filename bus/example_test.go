package bus_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/sqlitedriver"
)

// Order is an entity.
type Order struct {
	entity.Identifiable
	Customer string
	State    string
}

// OrderPlaced is the event that an order was placed.
type OrderPlaced struct{ Customer string }

func (OrderPlaced) MessageType() message.Type { return message.Type{Topic: "shop.order.placed"} }
func (m OrderPlaced) MessageKey() string      { return m.Customer }

// SendMail is a task.
type SendMail struct{ To, Text string }

func (SendMail) MessageType() message.Type {
	return message.Type{Topic: "shop.send-mail", Kind: message.Task}
}

// openShop opens a database with the tables of orders and of messages.
func openShop(ctx context.Context) (db *session.DB, closeAll func()) {
	dir, err := os.MkdirTemp("", "shop-")
	if err != nil {
		panic(err)
	}
	db, err = session.Open(ctx, session.Config{
		URL: "sqlite:///" + filepath.ToSlash(filepath.Join(dir, "shop.db")), Drivers: []driver.Driver{sqlitedriver.New()},
	})
	if err != nil {
		panic(err)
	}
	err = errors.Join(
		db.Install(ctx, outbox.Component()),
		db.Do(ctx, func(ctx context.Context) error { return session.CreateTables(ctx, (*Order)(nil)) }),
	)
	if err != nil {
		panic(err)
	}
	return db, func() { _ = errors.Join(db.Close(), os.RemoveAll(dir)) }
}

// run runs the worker of a bus until done has happened.
func run(ctx context.Context, b *bus.Bus, done <-chan bool) {
	worker := b.Worker()
	if err := worker.Start(ctx); err != nil {
		panic(err)
	}
	<-done
	if err := worker.Stop(ctx); err != nil {
		panic(err)
	}
}

// An order and the event that it was placed are one commit. So are what the event's handler writes, the task that it
// publishes, and the end of the event.
func Example() {
	ctx := context.Background()
	db, closeAll := openShop(ctx)
	defer closeAll()

	done := make(chan bool)
	b := bus.New(db, bus.Config{})
	bus.Handle(b, func(ctx context.Context, m OrderPlaced) error {
		fmt.Println("charge", m.Customer)
		return bus.Publish(ctx, SendMail{To: m.Customer, Text: "Thank you!"})
	}, bus.Handler{Group: "billing"})
	bus.Handle(b, func(_ context.Context, m SendMail) error {
		fmt.Println("mail to", m.To+":", m.Text)
		close(done)
		return nil
	}, bus.Handler{Concurrency: 2, Timeout: 10 * time.Second})

	worker := b.Worker()
	if err := worker.Start(ctx); err != nil {
		panic(err)
	}
	failed := db.Do(ctx, func(ctx context.Context) error {
		return errors.Join(bus.Publish(ctx, OrderPlaced{"eve"}), errors.New("out of stock"))
	})
	fmt.Println("eve:", failed)
	placed := db.Do(ctx, func(ctx context.Context) error {
		return errors.Join(session.Add(ctx, &Order{Customer: "ann"}), bus.Publish(ctx, OrderPlaced{"ann"}))
	})
	fmt.Println("ann:", placed)
	<-done
	if err := worker.Stop(ctx); err != nil {
		panic(err)
	}
	// Unordered output:
	// eve: out of stock
	// ann: <nil>
	// charge ann
	// mail to ann: Thank you!
}

// A reminder that waits for its time is replaced by a later one with the same name.
func ExamplePublish_once() {
	ctx := context.Background()
	db, closeAll := openShop(ctx)
	defer closeAll()

	remind := func(text string, after time.Duration) error {
		return db.Do(ctx, func(ctx context.Context) error {
			return bus.Publish(ctx, SendMail{To: "ann", Text: text}, bus.Options{
				Delay: after,
				Once:  "basket of ann",
				Again: outbox.Again{Payload: true, Time: outbox.LastTime},
			})
		})
	}
	if err := errors.Join(remind("One item waits for you.", time.Hour), remind("Two items wait for you.", time.Millisecond)); err != nil {
		panic(err)
	}
	done := make(chan bool)
	b := bus.New(db, bus.Config{})
	bus.Handle(b, func(_ context.Context, m SendMail) error {
		fmt.Println(m.Text)
		close(done)
		return nil
	}, bus.Handler{})
	run(ctx, b, done)
	// Output: Two items wait for you.
}

// What a worker has done is known at any time, and the observer is told as each message is through.
func ExampleWorker_Stats() {
	ctx := context.Background()
	db, closeAll := openShop(ctx)
	defer closeAll()

	through := make(observer, 2)
	b := bus.New(db, bus.Config{Observer: through, Logger: quiet()})
	bus.Handle(b, func(_ context.Context, m OrderPlaced) error {
		if m.Customer == "eve" {
			return bus.Permanent(errors.New("no such customer"))
		}
		return nil
	}, bus.Handler{Group: "billing"})
	worker := b.Worker()
	if err := worker.Start(ctx); err != nil {
		panic(err)
	}
	for _, customer := range []string{"ann", "eve"} {
		if err := bus.Publish(db.Context(ctx), OrderPlaced{customer}); err != nil {
			panic(err)
		}
		fmt.Println(customer+":", <-through)
	}
	for _, d := range worker.Stats().Destinations {
		fmt.Println(d.Destination, "handled", d.Handled, "parked", d.Parked, "in hand", d.InHand)
	}
	if err := worker.Stop(ctx); err != nil {
		panic(err)
	}
	// Output:
	// ann: done
	// eve: parked
	// billing handled 1 parked 1 in hand 0
}

// observer is told what became of messages.
type observer chan outbox.Outcome

// Observe implements outbox.Observer.
func (o observer) Observe(_ context.Context, w outbox.Work) {
	for _, r := range w.Results {
		o <- r.Outcome
	}
}

// A provider that is busy says when to come again; a card that is refused will always be.
func ExampleRetryAfter() {
	ctx := context.Background()
	db, closeAll := openShop(ctx)
	defer closeAll()

	done := make(chan bool)
	b := bus.New(db, bus.Config{Logger: quiet()})
	bus.Handle(b, func(ctx context.Context, m OrderPlaced) error {
		info, _ := bus.Current(ctx)
		if info.Failures == 0 {
			fmt.Println("the provider is busy")
			return bus.RetryAfter(10*time.Millisecond, errors.New("try later"))
		}
		fmt.Println("the card is refused")
		defer close(done)
		return bus.Permanent(errors.New("refused"))
	}, bus.Handler{Group: "billing"})
	worker := b.Worker()
	if err := worker.Start(ctx); err != nil {
		panic(err)
	}
	if err := bus.Publish(db.Context(ctx), OrderPlaced{"ann"}); err != nil {
		panic(err)
	}
	<-done
	if err := worker.Stop(ctx); err != nil {
		panic(err)
	}
	parked, _, err := outbox.NewOperator(db, outbox.OperatorConfig{}).List(ctx, outbox.Filter{}, outbox.Page{})
	if err != nil {
		panic(err)
	}
	for _, m := range parked {
		fmt.Println(m.Topic, m.Reason, m.LastError)
	}
	// Output:
	// the provider is busy
	// the card is refused
	// shop.order.placed permanent refused
}
