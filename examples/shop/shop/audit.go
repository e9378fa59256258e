package shop

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// Audit is one line of the log of what was asked for, whatever became of it.
type Audit struct {
	entity.Table `db:"table:audit"`
	entity.Identifiable
	Action    string
	CreatedAt time.Time `db:"created_at,created"`
}

var audits = entity.Columns[Audit]()

// AuditView is what a client sees.
type AuditView struct {
	ID        uuid.UUID `json:"id"`
	Action    string    `json:"action"`
	CreatedAt time.Time `json:"created_at"`
}

// record writes a line in a transaction of its own, which is durable when record returns, also when the unit that asks
// for it fails later. It comes before the unit's own writes: SQLite has one writer, and a unit that has begun to write
// could not wait for itself. A unit that is run again has its line already.
func record(ctx context.Context, action string) error {
	if again(ctx) {
		return nil
	}
	return session.New(ctx, func(ctx context.Context) error {
		return session.Add(ctx, &Audit{Action: action})
	})
}

// listAudit lists the latest first: keys are UUIDs of version 7, whose order is that of time.
func listAudit(ctx context.Context, page query.PageRequest) (query.Paginated[*Audit], error) {
	return session.Page[Audit](ctx, page, query.Desc(&audits.ID))
}
