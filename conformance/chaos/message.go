package chaos

import (
	"context"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
)

// Event is what writers publish: the message at Index of a unit. Seq is its number among all committed messages of its key,
// in the order of the commits, where the key has a counter. Of the other keys nothing but the outbox itself sees to the
// order, and it is compared with what the database says about its commits.
type Event struct {
	Unit  string
	Index int
	Key   string
	Seq   int64
}

// MessageType implements message.Message. Losing an event since nobody has subscribed would be no finding.
func (Event) MessageType() message.Type { return message.Type{Topic: "chaos.event", Required: true} }

// MessageKey implements message.Keyed.
func (e Event) MessageKey() string { return e.Key }

// Follow is what a handler publishes about an event.
type Follow struct{ Event }

// MessageType implements message.Message.
func (Follow) MessageType() message.Type {
	return message.Type{Topic: followUps, Kind: message.Task}
}

// The groups. The first one publishes follow-ups.
const (
	ledgerGroup = "ledger"
	mirrorGroup = "mirror"
	followUps   = "chaos.follow"
)

// Effect is what the handling of a message leaves. Nothing stops two of them: the check counts.
type Effect struct {
	entity.Serial
	Grp     string // which group handled it
	Message string // the message's id
	Unit    string
	Idx     int64
	Key     string
	Seq     int64
	Worker  string
	At      int64 // when it was handled, in microseconds
	Follows bool  // it has published a follow-up
}

// Unit is what a writer's unit leaves beside its messages.
type Unit struct {
	entity.Serial
	Name string
}

// Counter numbers the messages of a key. Whoever counts holds its row until the end of the transaction, so that the numbers
// are those of the commits.
type Counter struct {
	Name string `db:"name,pk"`
	Seq  int64
}

var entities = []any{(*Effect)(nil), (*Unit)(nil), (*Counter)(nil)}

// install makes the tables, with a counter for each key that has one.
func install(ctx context.Context, db *session.DB, server bool) error {
	if err := db.Install(ctx, outbox.Component()); err != nil {
		return err
	}
	return db.Do(ctx, func(ctx context.Context) error {
		if err := session.CreateTables(ctx, entities...); err != nil {
			return err
		}
		for _, key := range counted {
			if err := session.Add(ctx, &Counter{Name: key}); err != nil {
				return err
			}
		}
		triggers := arrows(server)
		if server {
			triggers = append(triggers, slowCommits)
		}
		for _, text := range triggers {
			if _, err := session.From(ctx).ExecContext(ctx, text); err != nil {
				return err
			}
		}
		return nil
	})
}

// slowCommits has some commits take long: after their messages have their numbers, and before anybody sees them. So numbers
// become visible in another order than their own all the time.
const slowCommits = `
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF random() < 0.08 THEN
		PERFORM pg_sleep(0.03 * random());
	END IF;
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON urutu_message DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()`
