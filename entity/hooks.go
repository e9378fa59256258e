package entity

import "context"

// An entity may have methods that the session calls as it writes the entity's row, each once for a row that is really
// written, and never for one that did not change. They belong on the pointer: func (u *User) BeforeInsert(...).
//
// A Before method runs before the SQL is made and may change the entity's fields; an After method sees what the database
// generated. The context is the flush's own: in it the session reads and adds, and refuses a flush with fault.Flushing.
// An error fails the flush, and with it the unit of work.

// BeforeInserter is an entity that is told before its row is inserted.
type BeforeInserter interface {
	BeforeInsert(ctx context.Context) error
}

// BeforeUpdater is an entity that is told before its row is updated.
type BeforeUpdater interface {
	BeforeUpdate(ctx context.Context) error
}

// BeforeDeleter is an entity that is told before its row is deleted.
type BeforeDeleter interface {
	BeforeDelete(ctx context.Context) error
}

// AfterInserter is an entity that is told after its row was inserted. It costs the unit a round trip, because the row
// has to be written before the commit is sent.
type AfterInserter interface {
	AfterInsert(ctx context.Context) error
}

// AfterUpdater is an entity that is told after its row was updated. It costs the unit a round trip, as [AfterInserter].
type AfterUpdater interface {
	AfterUpdate(ctx context.Context) error
}

// AfterDeleter is an entity that is told after its row was deleted. It costs the unit a round trip, as [AfterInserter].
type AfterDeleter interface {
	AfterDelete(ctx context.Context) error
}
