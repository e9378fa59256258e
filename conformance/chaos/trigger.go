package chaos

import "fmt"

// databaseArrows are those inside of a transaction: those that a unit which publishes passes, then those of whoever handles,
// sends, or renews its leases. In the database, a trigger is at each of them.
var databaseArrows = []databaseArrow{
	{"locked", "BEFORE INSERT ON urutu_message"}, // after the locks of the keys
	{"inserted", "AFTER INSERT ON urutu_message"},
	{"committing", "AFTER INSERT ON urutu_message"}, // while it commits: the trigger is deferred
	{"deleting", "BEFORE DELETE ON urutu_message"},  // after the effect, or after the broker has it
	{"deleted", "AFTER DELETE ON urutu_message"},
	{"renewing", "BEFORE UPDATE ON urutu_message_lease"},
	{"renewed", "AFTER UPDATE ON urutu_message_lease"},
}

type databaseArrow struct{ name, at string }

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
		deferred := a.name == "committing"
		switch {
		case server && deferred:
			list = append(list, fmt.Sprintf("CREATE CONSTRAINT TRIGGER arrow_%s %s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION arrow('%d')", a.name, a.at, i))
		case server:
			list = append(list, fmt.Sprintf("CREATE TRIGGER arrow_%s %s FOR EACH STATEMENT EXECUTE FUNCTION arrow('%d')", a.name, a.at, i))
		case !deferred:
			list = append(list, fmt.Sprintf("CREATE TRIGGER arrow_%s %s BEGIN SELECT chaos_arrow('%s'); END", a.name, a.at, a.name))
		}
	}
	return list
}
