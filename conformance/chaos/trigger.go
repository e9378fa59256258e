package chaos

import "fmt"

// databaseArrows are those inside of a transaction: those that a unit which publishes passes, then those of whoever handles,
// sends, or renews its leases. In the database, a trigger is at each of them.
var databaseArrows = []databaseArrow{
	{name: "locked", at: "BEFORE INSERT ON urutu_message"}, // after the locks of the keys
	{name: "inserted", at: "AFTER INSERT ON urutu_message"},
	{name: "committing", at: "AFTER INSERT ON urutu_message", deferred: true},
	{name: "deleting", at: "BEFORE DELETE ON urutu_message"}, // after the effect, or after the broker has it
	{name: "deleted", at: "AFTER DELETE ON urutu_message"},
	{name: "renewing", at: "BEFORE UPDATE ON urutu_message_lease"},
	{name: "renewed", at: "AFTER UPDATE ON urutu_message_lease"},
}

type databaseArrow struct {
	name, at string
	deferred bool // until it commits, which a file's triggers cannot be
}

// publishing is how many of them a unit passes that only publishes.
const publishing = 3

// arrowSpace is the first half of the locks at which the rig catches transactions.
const arrowSpace = 40170

// arrows renders the triggers. On a server they wait where the rig has locked an arrow; in a file they tell the process.
func arrows(server bool) (list []string) {
	if server {
		list = append(list, fmt.Sprintf("CREATE FUNCTION arrow() RETURNS trigger LANGUAGE plpgsql AS $$"+
			" BEGIN PERFORM pg_advisory_xact_lock_shared(%d, TG_ARGV[0]::int); RETURN NULL; END $$", arrowSpace))
	}
	for i, a := range databaseArrows {
		switch {
		case server && a.deferred:
			list = append(list, fmt.Sprintf("CREATE CONSTRAINT TRIGGER arrow_%s %s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION arrow('%d')", a.name, a.at, i))
		case server:
			list = append(list, fmt.Sprintf("CREATE TRIGGER arrow_%s %s FOR EACH STATEMENT EXECUTE FUNCTION arrow('%d')", a.name, a.at, i))
		case !a.deferred:
			list = append(list, fmt.Sprintf("CREATE TRIGGER arrow_%s %s BEGIN SELECT chaos_arrow('%s'); END", a.name, a.at, a.name))
		}
	}
	return list
}
