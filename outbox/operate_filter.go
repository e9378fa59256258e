package outbox

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// Filter selects messages that have failed; its conditions all hold together. The zero value selects all of them.
type Filter struct {
	// IDs are their numbers; none for any.
	IDs []int64
	// State is Parked or Retrying, AnyState or "" for both.
	State State
	// Destination, Topic and Reason are their own, "" for any.
	Destination, Topic string
	Reason             Reason
	// ErrorContains is part of the text of the last error, in the case that it has; "" for any.
	ErrorContains string
}

// empty reports whether the filter selects everything.
func (f Filter) empty() bool {
	return len(f.IDs) == 0 && f.State == "" && f.Destination == "" && f.Topic == "" && f.Reason == "" && f.ErrorContains == ""
}

// check refuses what selects nothing by mistake.
func (f Filter) check(op string) error {
	if !slices.Contains([]State{"", AnyState, Parked, Retrying}, f.State) {
		return &fault.Error{Kind: fault.Invalid, Op: op, Message: fmt.Sprintf("messages that have failed are parked or retrying, not %q", string(f.State))}
	}
	return nil
}

// selection is a statement under construction whose conditions differ from one time to the next. It numbers the parameters
// itself.
type selection struct {
	arrays bool // a list is an array, not JSON
	detect string
	text   strings.Builder
	types  []value.Type
	args   []value.Value
	lists  [][]value.Value
}

func newSelection(d dialect.Dialect) *selection {
	s := &selection{arrays: d.Features().Arrays, detect: "strpos"}
	if d.Name() == "sqlite" {
		s.detect = "instr"
	}
	return s
}

// add appends a text, in which each ? stands for the next of the values.
func (s *selection) add(text string, params ...param) {
	for _, p := range params {
		before, after, _ := strings.Cut(text, "?")
		s.types, s.args, s.lists = append(s.types, p.typ), append(s.args, p.value), append(s.lists, p.list)
		s.text.WriteString(before + "?" + strconv.Itoa(len(s.types)))
		text = after
	}
	s.text.WriteString(text)
}

// param is a parameter: a value, or a list of them.
type param struct {
	typ   value.Type
	value value.Value
	list  []value.Value
}

func anInt(t value.Type, i int64) param { return param{typ: t, value: value.OfInt(i)} }
func aText(s string) param              { return param{typ: tText, value: value.OfText(s)} }

// in appends that the column is one of the numbers.
func (s *selection) in(column string, ids []int64) {
	p := param{typ: tInt, list: ofInts(ids)}
	if s.arrays {
		s.add(column+" = ANY (?)", p)
		return
	}
	s.add(column+" IN (SELECT value FROM json_each(?))", p)
}

// where appends what the filter says of the rows r of the retries.
func (s *selection) where(f Filter) {
	if len(f.IDs) > 0 {
		s.add(" AND ")
		s.in("r.id", f.IDs)
	}
	s.add(map[State]string{Parked: " AND r.parked", Retrying: " AND NOT r.parked"}[f.State])
	if f.Destination != "" {
		s.add(" AND r.dest = (SELECT id FROM urutu_message_destination WHERE name = ?)", aText(f.Destination))
	}
	if f.Topic != "" {
		s.add(" AND r.topic = ?", aText(f.Topic))
	}
	if f.Reason != "" {
		s.add(" AND r.reason = ?", aText(string(f.Reason)))
	}
	if f.ErrorContains != "" {
		s.add(" AND "+s.detect+"(r.last_error, ?) > 0", aText(f.ErrorContains))
	}
}

// statement returns what was put together.
func (s *selection) statement(d dialect.Dialect, name string, result ...value.Type) driver.Statement {
	q := prepare(d, name, s.text.String(), s.types, result...)
	for _, list := range s.lists {
		if list != nil {
			return q.lists(s.lists, s.args...)
		}
	}
	return q.with(s.args...)
}

// after appends that the rows r come after a position.
func (s *selection) after(p position) {
	s.add(" WHERE (r.dest, r.lane, r.id) > (?, ?, ?)", anInt(tDest, int64(p.dest)), anInt(tSmall, int64(p.lane)), anInt(tInt, p.id))
}

// first is before every message.
var first = position{dest: -1 << 31}

// String prints the position as List takes it.
func (p position) String() string { return fmt.Sprintf("%d-%d-%d", p.dest, p.lane, p.id) }

// parsePosition reads what String has printed; "" is before the first message.
func parsePosition(op, text string) (p position, err error) {
	if text == "" {
		return first, nil
	}
	if _, err := fmt.Sscanf(text, "%d-%d-%d", &p.dest, &p.lane, &p.id); err != nil || p.String() != text {
		return p, &fault.Error{Kind: fault.BadRequest, Op: op, Message: fmt.Sprintf("%.40q does not begin a page", text), Err: err}
	}
	return p, nil
}
