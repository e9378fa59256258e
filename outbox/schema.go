package outbox

import (
	"fmt"
	"strings"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/value"
)

// Component is what the outbox keeps in a database: give it to session.DB.Install.
func Component() session.Component {
	return session.Component{Name: "outbox", Steps: []session.Step{tables, deaths, pages, leases, bottoms}}
}

// tables is the first version. The table of messages is only inserted into and deleted from, so that each message costs
// one entry of one index; what fails is noted beside it.
func tables(d dialect.Dialect) []string {
	serial, isKey := d.SerialType(value.TypeInt64)
	key, lanes := ", PRIMARY KEY (id)", ", PRIMARY KEY (dest, lane, id)"
	if isKey {
		key, lanes = "", ", UNIQUE (dest, lane, id)"
	}
	types := strings.NewReplacer(
		"SERIAL", serial,
		"UUID", d.ColumnType(value.TypeUUID, ""), "TEXT", d.ColumnType(value.TypeText, ""),
		"BYTES", d.ColumnType(value.TypeBytes, ""), "TIME", d.ColumnType(value.TypeTime, ""),
		"SMALL", d.ColumnType(value.TypeInt16, ""), "INT", d.ColumnType(value.TypeInt32, ""),
		"LONG", d.ColumnType(value.TypeInt64, ""), "BOOL", d.ColumnType(value.TypeBool, ""),
	)
	content := "slot SMALL NOT NULL, msg_id UUID NOT NULL, topic TEXT NOT NULL, key TEXT, headers BYTES NOT NULL," +
		" payload BYTES NOT NULL, created_at TIME NOT NULL"
	list := []string{
		"CREATE TABLE urutu_message_destination (id SERIAL, name TEXT NOT NULL UNIQUE, lanes SMALL NOT NULL" + key + ")",
		"CREATE TABLE urutu_message_subscription (topic TEXT NOT NULL, dest INT NOT NULL, lanes SMALL NOT NULL, PRIMARY KEY (topic, dest))",
		"CREATE TABLE urutu_message_lane (dest INT NOT NULL, lane SMALL NOT NULL, owner UUID, epoch LONG NOT NULL," +
			" lease_until LONG NOT NULL, touched LONG NOT NULL, PRIMARY KEY (dest, lane))",
		"CREATE TABLE urutu_message_worker (dest INT NOT NULL, owner UUID NOT NULL, until LONG NOT NULL, PRIMARY KEY (dest, owner))",
		"CREATE TABLE urutu_message (dest INT NOT NULL, lane SMALL NOT NULL, id SERIAL, " + content + lanes + ")" + messageStorage(d),
		"CREATE TABLE urutu_message_retry (dest INT NOT NULL, lane SMALL NOT NULL, id LONG NOT NULL, topic TEXT NOT NULL, key TEXT," +
			" attempts INT NOT NULL, next_at TIME NOT NULL, parked BOOL NOT NULL, reason TEXT NOT NULL, last_error TEXT NOT NULL," +
			" failed_at TIME NOT NULL, PRIMARY KEY (dest, lane, id))",
		"CREATE INDEX urutu_message_retry_due ON urutu_message_retry (dest, lane, next_at) WHERE NOT parked",
		"CREATE INDEX urutu_message_retry_key ON urutu_message_retry (dest, lane, key, id) WHERE key IS NOT NULL",
		"CREATE TABLE urutu_message_delayed (id SERIAL, dest INT NOT NULL, deliver_at TIME NOT NULL, once TEXT, " + content + key +
			", UNIQUE (dest, once))",
		"CREATE INDEX urutu_message_delayed_due ON urutu_message_delayed (dest, deliver_at, id)",
		"CREATE TABLE urutu_message_inbox (dest INT NOT NULL, msg_id UUID NOT NULL, at TIME NOT NULL, PRIMARY KEY (dest, msg_id))",
		"CREATE INDEX urutu_message_inbox_age ON urutu_message_inbox (dest, at)",
	}
	for i := range list {
		list[i] = types.Replace(list[i])
	}
	return list
}

// deaths is the second version: how many owners of a lane have died, and with which messages in hand.
func deaths(d dialect.Dialect) []string {
	count, number := d.ColumnType(value.TypeInt32, "")+" NOT NULL DEFAULT 0", d.ColumnType(value.TypeInt64, "")+" NOT NULL DEFAULT 0"
	return []string{
		"ALTER TABLE urutu_message_lane ADD COLUMN deaths " + count,
		"ALTER TABLE urutu_message_lane ADD COLUMN doubt " + number,
		"ALTER TABLE urutu_message_retry ADD COLUMN deaths " + count,
	}
}

// messageStorage has PostgreSQL clean up behind the deletions early and without pauses.
func messageStorage(d dialect.Dialect) string {
	if d.Name() != "postgres" {
		return ""
	}
	return " WITH (fillfactor=100, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=1000, autovacuum_vacuum_cost_delay=0)"
}

// pages is the third version: on PostgreSQL, tables that are empty most of the time keep some pages. The server makes a plan
// by the size that a table has at that moment, and keeps it. While a table has next to no pages it is cheaper to read all
// of it than to look into its index, and a backlog of thousands that comes later would be read as a whole for each message.
func pages(d dialect.Dialect) (list []string) {
	if d.Name() != "postgres" {
		return nil
	}
	const filler, now = "repeat('-', 500)", "now()"
	add := func(rows int, table, columns, values string) {
		list = append(list,
			"ALTER TABLE "+table+" SET (vacuum_truncate=false)",
			"INSERT INTO "+table+" (dest, "+columns+") SELECT 0, "+values+fmt.Sprintf(" FROM generate_series(1, %d) AS i", rows),
			"DELETE FROM "+table+" WHERE dest = 0",
		)
	}
	message := "0, gen_random_uuid(), '', " + filler + "::bytea, '', " + now
	columns := "slot, msg_id, topic, headers, payload, created_at"
	add(400, "urutu_message", "lane, id, "+columns, "0, -i, "+message)
	add(1000, "urutu_message_delayed", "id, deliver_at, "+columns, "-i, "+now+", "+message)
	add(400, "urutu_message_retry", "lane, id, topic, attempts, next_at, parked, reason, last_error, failed_at",
		"0, -i, '', 0, "+now+", true, '', "+filler+", "+now)
	add(2000, "urutu_message_lane", "lane, epoch, lease_until, touched", "i, 0, 0, 0")
	return list
}

// leases is the fourth version: until when a lane is somebody's has a table of its own. It changes every other second, and
// who has the lane hardly ever, which each look and each commit asks. While anybody holds an old snapshot every version of a
// row is in the way of whoever looks for it.
func leases(d dialect.Dialect) (list []string) {
	if d.Name() == "postgres" {
		list = append(list, "LOCK TABLE urutu_message_lane IN ACCESS EXCLUSIVE MODE") // no lease is renewed in between
	}
	return append(list,
		"CREATE TABLE urutu_message_lease (dest "+d.ColumnType(value.TypeInt32, "")+" NOT NULL, lane "+d.ColumnType(value.TypeInt16, "")+
			" NOT NULL, until "+d.ColumnType(value.TypeInt64, "")+" NOT NULL, PRIMARY KEY (dest, lane))",
		"INSERT INTO urutu_message_lease (dest, lane, until) SELECT dest, lane, lease_until FROM urutu_message_lane",
		"ALTER TABLE urutu_message_lane DROP COLUMN lease_until",
	)
}

// bottoms is the fifth version: whoever takes a lane learns with its lease up to where nothing is left of it.
func bottoms(d dialect.Dialect) []string {
	return []string{"ALTER TABLE urutu_message_lease ADD COLUMN bottom " + d.ColumnType(value.TypeInt64, "") + " NOT NULL DEFAULT 0"}
}
