// Package bus publishes messages with the unit of work that they tell of, and handles each in a unit of its own.
//
// # Overview
//
// [Publish] in a unit of work makes the message a part of it: it leaves if, and always when, the unit commits. A handler
// is a function of the message's type; its writes, the messages that it publishes and the end of the message it handles
// are one commit too. So each message has its effect on the database once, whatever breaks in between:
//
//	b := bus.New(db, bus.Config{})
//	bus.Handle(b, billing.Charge, bus.Handler{Group: "billing"})
//	worker := b.Worker() // a component of an urutu.App, with the role "worker"
//
//	func place(ctx context.Context, o *Order) error { // in a unit of work
//		return errors.Join(session.Add(ctx, o), bus.Publish(ctx, OrderPlaced{OrderID: o.ID, Total: o.Total}))
//	}
//
//	func Charge(ctx context.Context, m OrderPlaced) error { // in a unit of its own
//		return session.Add(ctx, &Payment{OrderID: m.OrderID, Amount: m.Total})
//	}
//
// The types are those of package message: an event goes to each group that has subscribed to its topic, a task to the one
// group of its topic. Messages of one key are handled one at a time, in the order in which their units committed; others
// side by side, as many as [Handler] says. [Options] delay a message, and keep it unique while it waits.
//
// The queue is the database itself, by package outbox. Publishing adds no round trip to a unit, but for the first one of a
// process and of each event that requires a subscription; handling a message takes one. A broker is needed only between
// databases: [Bus.Receive] takes in what it brings, and handlers see no difference.
//
// # Lifecycle
//
// The tables are made by db.Install(ctx, outbox.Component()) as the program starts. Handlers are registered first; the
// worker then makes their groups known and begins. A group that was known once keeps its place: events are stored for it
// also while no worker runs. A task is stored before its first worker has ever started.
//
// Any number of processes may run workers of the same groups, and share them. [Worker.Stop] takes no more messages and
// waits for those in hand. At its deadline their contexts end and their units are rolled back; the messages are handled
// again, which counts as no failure. A receiver that has not returned by then is left behind, which the error says.
//
// What a message leaves in the log of its database is one of these:
//
//	success   insert and update the handler's rows, delete the message, insert the handler's messages, COMMIT
//	failure   ROLLBACK, then insert the failure
//
// # Errors
//
// Publish fails with fault.Invalid for what cannot be stored and fault.Misconfigured where the connection has no tables,
// before anything has happened to the unit.
//
// A handler's error, panic or timeout rolls its unit back, and the message is handled again after a pause ([outbox.Retry]).
// After its last attempt it is parked, with its reason; so is, at once, what [Permanent] marks, what cannot be decoded,
// what a newer program has published, and what nobody here handles. Nothing that is parked goes away by itself:
// outbox.Operator lists it, and has it tried again or skipped. Later messages of its key wait, unless outbox.Retry.Skip
// says otherwise. [RetryAfter] chooses the pause.
//
// Where the database does not answer, nothing is counted against the message. A unit that meets a serialization failure
// or a deadlock is run again at once, as everywhere. A handler may run more than once for one message, then, although its
// commit happens once: what it does outside of the database is to be idempotent, by [Info].ID for one.
//
// Where a handler writes to another database than that of its messages, the other one commits first: the message is
// handled again where the commit of the message alone is lost.
//
// # Concurrency
//
// A [Bus] is safe for concurrent use. A handler runs in many goroutines at once, each in a unit and a session of its own.
// A [Worker]'s methods are called from one goroutine at a time, but for [Worker.Stats], which may be called at any time.
// [Config].Observer is told of messages by many goroutines at once.
package bus
