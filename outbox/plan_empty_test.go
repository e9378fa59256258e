package outbox

import (
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/urutu-go/urutu/urututest"
)

// TestPlansMadeWhileEmpty: what the server plans while there are no messages, and keeps, is not to read a whole table: it
// does so too when there are many. It is asked about new tables, ones that were cleaned up, and ones that had many messages
// and have few, all of one lane.
func TestPlansMadeWhileEmpty(t *testing.T) {
	t.Parallel()
	used := newPlanned(t, urututest.InPostgres)
	used.fill(100_000)
	used.record()
	empty := newPlanned(t, urututest.InPostgres)
	empty.sent.list, empty.sent.direct = used.sent.list, used.sent.direct
	empty.noScans("new tables")
	empty.vacuum()
	empty.noScans("clean tables")
	for _, left := range []string{"2000", "20", "3", "2", "1", "0"} {
		for _, table := range grown {
			of := " WHERE dest = (SELECT min(dest) FROM " + table + ")"
			if table == "urutu_message" || table == "urutu_message_retry" {
				of = " WHERE (dest, lane) = (SELECT dest, lane FROM " + table + " ORDER BY dest, lane LIMIT 1)"
			}
			used.exec("DELETE FROM " + table + " WHERE ctid NOT IN (SELECT ctid FROM " + table + of + " LIMIT " + left + ")")
		}
		used.vacuum()
		used.noScans(left + " are left")
	}
}

// noScans fails the test where a plan for any arguments reads a table as a whole.
func (p *planned) noScans(state string) {
	p.Helper()
	for _, sent := range p.sent.list {
		plan, text := p.explainPostgres(p.T, &sent[0], "force_generic_plan")
		lanes := strings.Contains(sent[0].SQL, "lane = ") && !strings.Contains(sent[0].SQL, "ORDER BY l.") // which asks for all
		if scans := plan.scans(lanes); len(scans) > 0 {
			p.Errorf("%s: it scans %s\n%s\n%s", state, strings.Join(scans, ", "), sent[0].SQL, text)
		}
		if strings.HasPrefix(sent[0].SQL, "DELETE FROM urutu_message WHERE ctid") && !strings.Contains(text, `"Tid Scan"`) {
			p.Errorf("%s: what was sent is not deleted where it is\n%s", state, text)
		}
	}
}

// scans are the tables of messages that a plan reads as a whole, and that of lanes where one of them is looked up.
func (n *node) scans(lanes bool) (list []string) {
	large := n.Relation == "urutu_message_lane" && lanes || n.Relation != "urutu_message_inbox" && slices.Contains(grown, n.Relation)
	if strings.HasSuffix(n.Type, "Seq Scan") && large {
		list = append(list, n.Relation)
	}
	for i := range n.Plans {
		list = append(list, n.Plans[i].scans(lanes)...)
	}
	return list
}

// vacuum cleans all tables up, and tells the planner what they are like.
func (p *planned) vacuum() {
	p.Helper()
	ctx := p.Context()
	conn, err := pgx.Connect(ctx, p.url)
	if err != nil {
		p.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, "VACUUM ANALYZE"); err != nil {
		p.Fatal(err)
	}
}
