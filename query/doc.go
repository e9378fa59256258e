// Package query builds predicates, orders and pages over typed columns. It performs no I/O: the verbs of package
// session take what it builds.
//
// # Overview
//
// A column is named by the address of a field of the entity's prototype, so that the compiler checks its name and the
// type of what it is compared with:
//
//	var users = entity.Columns[User]()
//
//	found, err := session.Find[User](ctx,
//		query.Or(query.Eq(&users.Email, email), query.HasPrefix(&users.Name, "Ann")),
//		query.Gt(&users.CreatedAt, since),
//		query.Desc(&users.CreatedAt),
//		query.Limit(20),
//	)
//
// Every operand travels as a bound parameter. NULL follows Go where SQL would surprise: [Ne] and [NotIn] hold for a row
// that is NULL, and [Eq] with a nil pointer finds such rows.
//
// [With] loads a relation of what is found. [Join], [Any] and their like ask for what other tables hold; an [Expr] is what
// the database computes, and [Put] puts it into a result that is no entity. [ApplyFilters] makes a clause of what a client
// has sent; a [List] says what clients may filter and sort by, and understands the requests of grids.
//
// The same predicates say which rows an update or a deletion by criteria meets, and an [Assignment] what it sets:
//
//	n, err := session.UpdateAll[User](ctx, query.Set(&users.Name, "Ann"), query.EqFold(&users.Name, "ann"))
//
// [PageRequest] asks for a page by its number and [CursorRequest] for one by a cursor; a [Counting] says what is told of the
// number of rows.
//
// # Errors
//
// Building cannot fail: predicates are values. The verb that runs a query returns fault.Misconfigured for a pointer
// that is no column of its entity, and fault.BadRequest for an operand that cannot be stored or a page out of bounds.
//
// # Concurrency
//
// Predicates and clauses are immutable values and safe for concurrent use.
package query
