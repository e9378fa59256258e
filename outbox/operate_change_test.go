package outbox

import (
	"testing"

	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/urututest"
)

// TestChangeOnlyWhatIsStillSelected: between the look at a message and its change, a worker may have had it in hand.
func TestChangeOnlyWhatIsStillSelected(t *testing.T) {
	t.Parallel()
	urututest.Each(t, urututest.Config{}, func(t *testing.T, db *session.DB) {
		if err := db.Install(t.Context(), Component()); err != nil {
			t.Fatal(err)
		}
		script := &driver.Script{}
		for _, text := range []string{
			"INSERT INTO urutu_message_destination (id, name, lanes) VALUES (1, 'billing', 1)",
			"INSERT INTO urutu_message_lane (dest, lane, epoch, touched) VALUES (1, 0, 0, 0)",
			"INSERT INTO urutu_message (dest, lane, id, slot, msg_id, topic, headers, payload, created_at)" +
				" VALUES (1, 0, 7, 0, '00000000-0000-0000-0000-000000000001', 'due', '', '', '2026-01-01 00:00:00.000000+00:00')",
			"INSERT INTO urutu_message_retry (dest, lane, id, topic, attempts, next_at, parked, reason, last_error, failed_at) VALUES" +
				" (1, 0, 7, 'due', 3, '2026-01-01 00:00:00.000000+00:00', false, 'error', 'no', '2026-01-01 00:00:00.000000+00:00')",
		} {
			script.Statements = append(script.Statements, driver.Statement{SQL: text, Raw: true})
		}
		if err := db.Run(t.Context(), "test", driver.Write, script, driver.Discard); err != nil {
			t.Fatal(err)
		}
		o := NewOperator(db, OperatorConfig{})
		lane := []found{{position: position{1, 0, 7}}}
		for _, alter := range []alteration{retryAgain, deleteSkipped} {
			for _, f := range []Filter{{State: Parked}, {Reason: Permanent}, {Topic: "paid"}, {ErrorContains: "yes"}, {Destination: "mail"}, {IDs: []int64{8}}} {
				if changed, err := o.alter(t.Context(), "test", lane, f, alter); err != nil || len(changed) != 0 {
					t.Errorf("%+v changes %v, %v", f, changed, err)
				}
			}
		}
		if m, err := o.Show(t.Context(), 7); err != nil || m.State != Retrying || m.Failures != 3 {
			t.Errorf("%+v, %v", m, err)
		}
		for _, alter := range []alteration{retryAgain, deleteSkipped} {
			if changed, err := o.alter(t.Context(), "test", lane, Filter{State: Retrying}, alter); err != nil || len(changed) != 1 {
				t.Errorf("%v, %v", changed, err)
			}
		}
	})
}
