package entity

import (
	"time"

	"github.com/google/uuid"
)

// The structs here are embedded in entities; their fields become columns of the entity's table. They may be combined,
// and none is needed: a `db` tag on a field of one's own does the same.

// Identifiable gives an entity a UUID as its primary key. The session fills it in when the entity is added, or [New]
// before that: a UUIDv7, so that rows lie in the order of their making.
type Identifiable struct {
	ID uuid.UUID `db:"id,pk" json:"id"`
}

// Serial gives an entity a number as its primary key, which the database generates: it is known after the flush, and
// costs the flush a round trip.
type Serial struct {
	ID int64 `db:"id,pk,serial" json:"id"`
}

// Dated notes when an entity was made and last changed. The session keeps both, in UTC and whole microseconds, and from
// one reading of the clock for each transaction: they are equal for an entity that never changed.
type Dated struct {
	CreatedAt time.Time `db:"created_at,created" json:"created_at"`
	UpdatedAt time.Time `db:"updated_at,updated" json:"updated_at"`
}

// Versioned counts the changes of an entity, from 1. A session that changes or deletes the entity checks that nobody
// else did since it was read, and fails with fault.Stale otherwise.
type Versioned struct {
	Version int64 `db:"version,version" json:"version"`
}

// SoftDeleted marks an entity as deleted at a time, while its row stays. Nil means that it is not.
type SoftDeleted struct {
	DeletedAt *time.Time `db:"deleted_at,softdelete" json:"deleted_at,omitempty"`
}

// Table names the table where the plural of the type's name is not it, with a schema where it needs one:
//
//	type Person struct {
//		entity.Table `db:"table:crm.people"`
//		entity.Identifiable
//	}
type Table struct{}
