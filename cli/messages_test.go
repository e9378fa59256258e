package cli_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/urutu-go/urutu/cli"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/urututest"
	"github.com/urutu-go/urutu/value"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write what the commands print into testdata")

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// tables fills the tables with rows that do not depend on a clock.
type tables struct {
	*testing.T
	db *session.DB
}

// insert inserts a row; each value is given with its type.
func (f tables) insert(table, columns string, cells ...any) {
	f.Helper()
	d, err := f.db.Dialect(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	st := driver.Statement{Query: "insert " + table, Raw: true}
	var params strings.Builder
	for _, c := range cells {
		var v value.Value
		var t value.Type
		switch c := c.(type) {
		case int:
			v, t = value.OfInt(int64(c)), value.TypeInt64
		case string:
			v, t = value.OfText(c), value.TypeText
		case []byte:
			v, t = value.OfBytes(c), value.TypeBytes
		case time.Time:
			v, t = value.OfTime(c), value.TypeTime
		case bool:
			v, t = value.OfBool(c), value.TypeBool
		case [16]byte:
			v, t = value.OfUUID(c), value.TypeUUID
		case nil:
			t = value.TypeText
		}
		st.Args, st.Types = append(st.Args, v), append(st.Types, t)
		if len(st.Args) > 1 {
			params.WriteString(", ")
		}
		d.Param(&params, len(st.Args), t)
	}
	st.SQL = "INSERT INTO " + table + " (" + columns + ") VALUES (" + params.String() + ")"
	script := &driver.Script{Statements: []driver.Statement{st}}
	if err := f.db.Run(f.Context(), "test", driver.Write, script, driver.Discard); err != nil {
		f.Fatal(err)
	}
}

// message inserts a message that is so many minutes old.
func (f tables) message(dest, lane, id int, topic string, key any, minutes int, payload string) {
	f.Helper()
	envelope, err := message.Envelope{Version: 2, Headers: message.Headers{"tenant": "acme", "correlation-id": "c\u202e1"}}.Seal()
	if err != nil {
		f.Fatal(err)
	}
	if payload == "unsealed" {
		envelope = []byte("\x1b[31mred")
	}
	f.insert("urutu_message", "dest, lane, id, slot, msg_id, topic, key, headers, payload, created_at",
		dest, lane, id, 0, [16]byte{15: byte(id)}, topic, key, envelope, []byte(payload), noon.Add(time.Duration(-minutes)*time.Minute))
}

func (f tables) failure(dest, lane, id int, topic string, key any, failures int, next time.Time, parked bool, reason, text string) {
	f.Helper()
	f.insert("urutu_message_retry", "dest, lane, id, topic, key, attempts, next_at, parked, reason, last_error, failed_at",
		dest, lane, id, topic, key, failures, next, parked, reason, text, noon.Add(-90*time.Second))
}

// fill makes two destinations: billing with three lanes, mail with one.
func fill(t *testing.T, db *session.DB) {
	t.Helper()
	if err := db.Install(t.Context(), outbox.Component()); err != nil {
		t.Fatal(err)
	}
	f := tables{t, db}
	for _, d := range []struct {
		id    int
		name  string
		lanes int
	}{{1, "billing", 3}, {2, "mail", 1}} {
		f.insert("urutu_message_destination", "id, name, lanes", d.id, d.name, d.lanes)
		for lane := range d.lanes {
			until := 0
			if d.id == 1 && lane == 0 {
				until = 4e15 // in the year 2096
			}
			f.insert("urutu_message_lane", "dest, lane, owner, epoch, touched", d.id, lane, [16]byte{1}, 1, 0)
			f.insert("urutu_message_lease", "dest, lane, until", d.id, lane, until)
		}
	}
	for _, s := range []struct {
		topic string
		dest  int
	}{{"order.placed", 1}, {"order.paid", 1}, {"order.paid", 2}, {"mail", 2}} {
		f.insert("urutu_message_subscription", "topic, dest, lanes", s.topic, s.dest, 1)
	}
	f.message(1, 0, 11, "order.placed", "a", 200, `{"order":"a","total":100}`)
	f.message(1, 0, 12, "order.placed", "a", 190, `{"order":"a","total":200}`)
	f.message(1, 0, 13, "order.placed", "b", 3, `{"order":"b"}`)
	f.message(1, 1, 14, "order.placed", nil, 300, `{"order":`)
	f.message(1, 2, 15, "order.paid", "c", 5000, "unsealed")
	f.message(2, 0, 16, "order.paid", nil, 1, `{}`)
	f.failure(1, 0, 11, "order.placed", "a", 1, noon, true, "permanent", "the card was declined")
	f.failure(1, 1, 14, "order.placed", nil, 3, noon.Add(150*time.Minute), false, "error",
		"\x1b[2Jno answer,\nnot after 3 tries, and this is said at such a length that no line takes it")
	f.failure(1, 2, 15, "order.paid", "c", 1, noon, true, "undecodable", "")
	f.delay(1, 3, "order.placed", "a", nil, 150, `{"order":"a"}`)
	f.delay(1, 1, "order.paid", "b", "invoice b\x1b[31m", -5, `{"order":"b"}`)
	f.delay(2, 2, "mail", nil, "newsletter", 90000, "text")
	f.delay(2, 4, "mail", nil, "reminder", 30, "text")
	f.delay(2, 5, "order.paid", "e", nil, 45, `{}`)
}

// delay inserts a message that waits until so many minutes after noon.
func (f tables) delay(dest, id int, topic string, key, once any, minutes int, payload string) {
	f.Helper()
	envelope, err := message.Envelope{Version: 2, Headers: message.Headers{"tenant": "acme"}}.Seal()
	if err != nil {
		f.Fatal(err)
	}
	f.insert("urutu_message_delayed", "id, dest, deliver_at, once, slot, msg_id, topic, key, headers, payload, created_at",
		id, dest, noon.Add(time.Duration(minutes)*time.Minute), once, 512, [16]byte{15: byte(id)}, topic, key, envelope, []byte(payload), noon.Add(-time.Hour))
}

// command runs a line and returns what it prints: what goes to the standard error has a mark before it.
func command(ctx context.Context, line string, commands ...*cli.Command) string {
	var out, log bytes.Buffer
	err := cli.Run(ctx, cli.Terminal{Out: &out, Err: &log}, strings.Fields(line), commands...)
	for said := range strings.Lines(log.String()) {
		out.WriteString("! " + said)
	}
	if err != nil {
		fmt.Fprintf(&out, "! %v\n! exit %d\n", err, cli.ExitCode(err))
	}
	return out.String()
}

// TestPromise42_Commands runs the lines of testdata/messages.txt that begin with $, and wants what stands below them.
func TestPromise42_Commands(t *testing.T) {
	t.Parallel()
	const file = "testdata/messages.txt"
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	urututest.Each(t, urututest.Config{}, func(t *testing.T, db *session.DB) {
		fill(t, db)
		var changes bytes.Buffer
		messages := cli.Messages(db, cli.MessagesConfig{
			By: "ann", Now: func() time.Time { return noon }, Logger: slog.New(slog.NewTextHandler(&changes, nil)),
		})
		var got strings.Builder
		for line := range strings.Lines(string(want)) {
			if words, ok := strings.CutPrefix(line, "$ "); ok {
				got.WriteString(line + command(t.Context(), words, messages) + "\n")
			}
		}
		if *update {
			if err := os.WriteFile(file, []byte(got.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		} else if got.String() != string(want) {
			t.Errorf("the commands print\n%s", diff(string(want), got.String()))
		}
		if n := strings.Count(changes.String(), "by=ann"); n != 15 {
			t.Errorf("%d changes are logged:\n%s", n, changes.String())
		}
	})
}

// diff returns the first lines that differ.
func diff(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d:\n%s\nand not\n%s", i+1, g[i], w[i])
		}
	}
	return fmt.Sprintf("%d lines, not %d", len(g), len(w))
}

func TestCommandsOfAnApplication(t *testing.T) {
	t.Parallel()
	failure := errors.New("it failed")
	add := &cli.Command{Name: "add", Args: "n ...", Summary: "Adds", Action: func(flags *flag.FlagSet) cli.Action {
		loud := flags.Bool("loud", false, "with a mark")
		return func(_ context.Context, t cli.Terminal, args []string) error {
			_, err := fmt.Fprintln(t.Out, args, *loud)
			if len(args) == 0 {
				err = failure
			}
			return err
		}
	}}
	tree := &cli.Command{Name: "sum", Summary: "Sums", Commands: []*cli.Command{add}}
	for line, want := range map[string]string{
		"sum add 1 -loud 2":    "[1 2] true\n",
		"sum add 1 -- -loud 2": "[1 -loud 2] false\n",
		"sum add 1 2":          "[1 2] false\n",
		"sum add":              "[] false\n! it failed\n! exit 1\n",
		"sum add 1 -quiet":     "! cli.Run: bad_request: sum add: flag provided but not defined: -quiet; sum add -h says more\n! exit 2\n",
		"sum sub":              "! cli.Run: bad_request: there is no command \"sum sub\"; there are: add\n! exit 2\n",
		"":                     "Commands:\n  sum  Sums\n",
		"sum -h":               "Commands:\n  sum add  Adds\n",
		"sum add -h":           "sum add [flags] n ...\n\nAdds.\n\nFlags:\n  -loud\n    \twith a mark\n",
	} {
		if got := command(t.Context(), line, tree); got != want {
			t.Errorf("%q prints\n%s", line, got)
		}
	}
	if err := cli.Run(t.Context(), cli.Terminal{}, []string{"nothing"}, tree); fault.KindOf(err) != fault.BadRequest {
		t.Error(err)
	}
}
