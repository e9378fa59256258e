// Package outbox keeps messages as rows beside the data that they tell of, and moves them to their consumers: the engine
// below package bus, and below what sends to a broker.
//
// # Overview
//
// [Put] adds a message to the session's unit of work. The unit's commit writes a row for each destination that has
// subscribed to the topic, in the same round trip and transaction as everything else. An [Engine] takes the rows to the
// [Consumer] of their destination. A consumer that handles deletes the row with the unit that handled it
// ([Delivery.Acknowledge]), so that its effects and the end of the message are one commit. A consumer that sends, to a
// broker, has the row deleted once the broker has it, so that it arrives once or more. [Receive] is the way in: what a
// broker brings is stored once, whatever it brings twice.
//
// That a row is there is the only truth about a message; everything else that an engine knows is a guess that saves work.
//
// # Tables
//
// [Component] makes them. A message is inserted and deleted, and never changed but by [Relane]. What fails is noted beside
// it, and what waits for its time waits in a table of its own, from where it becomes ready. On PostgreSQL these tables keep
// some pages while they are empty, so that no plan that is made then reads a backlog as a whole later.
//
// A destination's messages are spread over lanes, by their keys. Each lane is looked after by one process at a time, which
// holds a lease on it; processes share the lanes evenly, and take over those of one that has died when the lease ends,
// after 4.5 seconds. Whoever has lost a lane without knowing cannot commit: the row's delete asks for the lease.
// [Relane] changes the number of lanes while everything runs.
//
// # Order
//
// Units that publish messages of one key take turns from the write of the messages to the end of their commit, so that the
// numbers of the rows follow the order of the commits. A process looks for new rows behind the last one that it has seen,
// and then, in a later snapshot, for those that committed late: only then it hands out, in the order of the numbers. So a
// message never overtakes an earlier one of its key, and no open transaction anywhere holds up the others.
//
// # Watching
//
// [Engine.Stats] is what a process has done with the messages of each destination, and what it has of them; it costs a
// glance at what is in memory. An [Observer] is told of each piece of work as it is over, with its time and outcome. What
// only the database knows is asked for by [Operator.Lags] and [Operator.Horizon], without counting messages.
//
// # Lifecycle
//
// An engine works from [Engine.Start] to [Engine.Stop], which waits for what is in hand and then gives the lanes to
// others. It is woken by commits of its own process, and looks where their messages are; by notifications of others where the
// database has them; and it looks at all of its lanes from time to time in any case. Notifications are never part of a commit
// that publishes.
//
// # Errors
//
// Put refuses what cannot be stored, at once: fault.Invalid, and fault.Misconfigured on a connection without the tables.
// What a consumer returns is a failure of the message, with a [Reason], unless it says that the database or the broker
// does not answer: then the destination pauses, and nothing is counted. After as many attempts as [Retry] grants a message
// is parked, and so is one at which process after process has died. An [Operator] lists what has failed and what waits
// behind it, has it tried again, skips and exports it. It also lists what waits for its time, cancels it and has its time
// come.
//
// What a crash of the database can undo must not have been sent: where commits do not wait for the disk, the log says so
// as the first message is published, and session.Config.Durable has that refused.
//
// # Concurrency
//
// An [Engine] and an [Operator] are safe for concurrent use.
package outbox
