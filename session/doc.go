// Package session is urutu's unit-of-work session: an identity map, change tracking, an ordered flush, savepoints and
// named connections, carried by the context.
//
// # Overview
//
// [Open] makes a [DB] of one or more named connections. [DB.Do] runs a function as one unit of work, and a transport
// runs each request as one. Inside, the verbs find the session in the context:
//
//	err := db.Do(ctx, func(ctx context.Context) error {
//		user, err := session.Get[User](ctx, id)
//		if err != nil {
//			return err
//		}
//		user.Name = "Ann"                                         // seen at the flush: one UPDATE of one column
//		return session.Add(ctx, &Audit{Action: "renamed"})        // written in the same transaction
//	})
//
// Nothing is written until it has to be: at the commit, before a query that could see it, or by [Flush]. On a database
// that pipelines, the whole write side of a unit (BEGIN, every INSERT, UPDATE and DELETE, COMMIT) is one round trip.
//
// [Batch] asks for several independent reads in one round trip. [UpdateAll] and [DeleteAll] write all rows that predicates
// describe, whatever their number, and keep the objects that the session has in step. [Upsert] writes rows that are there or
// not, [Stream] reads rows one by one, and a [Repository] has the verbs of one entity as methods.
//
// # Lifecycle
//
// A session begins with its first verb and ends with its unit. It takes no connection until SQL is needed. Plain reads
// before the first write run by themselves and give the connection back; a transaction begins with the first flush,
// locking read, raw statement, or at once where a higher isolation level asks for it. Objects stay readable after the
// end; their changes are no longer followed.
//
// [Nested] runs a function inside a savepoint, [New] inside an independent unit with its own connection, [On] chooses
// another connection.
//
// # Errors
//
// Every error is a *fault.Error with the kind, the verb, the entity and its key, and what the database named. After a
// failed flush the session refuses everything but [Rollback] with fault.SessionFailed, since the transaction cannot go
// on; a failure inside [Nested] that its caller handles leaves the session usable.
//
// A commit whose answer is lost is fault.OutcomeUnknown. With uow.Options.Resolve the session finds out over another
// connection what became of it, by a row that travels with the commit and whose table [DB.Install] makes, or as
// [ResolveWith] says: the unit then succeeds, or fails with fault.ConnectionLost and may be run again.
//
// # Concurrency
//
// A [DB] is safe for concurrent use. A session is used by one goroutine at a time: a second one gets
// fault.ConcurrentUse, and nothing breaks. Reads that need not wait for each other go into a [Batch]; to work in parallel,
// give each goroutine a unit of its own with [New].
package session
