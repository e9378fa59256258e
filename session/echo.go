package session

import (
	"context"
	"database/sql"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// echoRows bounds how many rows of a batch are printed.
const echoRows = 3

// echo logs what a script sent: every statement with its arguments' types and lengths, or their values where that was
// asked for.
func (s *Session) echo(ctx context.Context, script *driver.Script, rows int64, took time.Duration, err error) {
	log := s.conn.cfg.Logger
	if log == nil || !log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	var text []string
	if script.Begin != nil {
		text = append(text, "BEGIN")
	}
	for i := range script.Statements {
		st := &script.Statements[i]
		text = append(text, st.SQL+s.echoArgs(st))
	}
	if script.End != driver.Stay {
		text = append(text, strings.ToUpper(script.End.String()))
	}
	attrs := []slog.Attr{
		slog.String("connection", string(s.conn.cfg.Name)),
		slog.String("sql", strings.Join(text, "; ")),
		slog.Duration("duration", took),
		slog.Int64("rows", rows),
	}
	if err != nil { // its kind, since the driver's own text may hold values
		attrs = append(attrs, slog.String("error", string(fault.KindOf(err))))
	}
	log.LogAttrs(ctx, slog.LevelInfo, "sql", attrs...)
}

// echoRaw logs a statement that came from the caller, with the types and lengths of its arguments and never their values.
// How many rows a query has is not known here: the caller reads them.
func (s *Session) echoRaw(ctx context.Context, op string, st rawStatement, result any, took time.Duration, err error) {
	text := st.query
	if len(st.args) > 0 {
		kinds := make([]string, len(st.args))
		for i, arg := range st.args {
			kinds[i] = rawArg(arg)
		}
		text += " [" + strings.Join(kinds, ", ") + "]"
	}
	attrs := []slog.Attr{
		slog.String("connection", string(s.conn.cfg.Name)),
		slog.String("sql", text),
		slog.String("raw", op),
		slog.Duration("duration", took),
	}
	if r, ok := result.(sql.Result); ok && err == nil {
		if n, err := r.RowsAffected(); err == nil {
			attrs = append(attrs, slog.Int64("rows", n))
		}
	}
	if err != nil { // its kind, since the driver's own text may hold values
		attrs = append(attrs, slog.String("error", string(fault.KindOf(err))))
	}
	s.conn.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "sql", attrs...)
}

// rawArg prints the type of an argument, and its length where it has one.
func rawArg(arg any) string {
	if named, ok := arg.(sql.NamedArg); ok {
		arg = named.Value
	}
	v := reflect.ValueOf(arg)
	switch {
	case !v.IsValid():
		return "NULL"
	case v.Kind() == reflect.String, v.Kind() == reflect.Slice:
		return v.Type().String() + "(" + strconv.Itoa(v.Len()) + ")"
	default:
		return v.Type().String()
	}
}

// echoArgs prints a statement's arguments in brackets.
func (s *Session) echoArgs(st *driver.Statement) string {
	if len(st.Args) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(" [")
	shown := min(st.Rows(), echoRows) * len(st.Types)
	for i := range shown {
		if i > 0 {
			b.WriteString(", ")
		}
		param := i % len(st.Types)
		if st.Lists != nil && st.Lists[param] != nil {
			b.WriteString(st.Types[param].String() + "×" + strconv.Itoa(len(st.Lists[param])))
			continue
		}
		hidden := st.Raw || st.Secret != nil && st.Secret[param]
		b.WriteString(echoValue(st.Types[param], st.Args[i], s.conn.cfg.EchoValues && !hidden))
	}
	if more := st.Rows() - echoRows; more > 0 {
		b.WriteString(", … " + strconv.Itoa(more) + " more rows")
	}
	b.WriteByte(']')
	return b.String()
}

func echoValue(t value.Type, v value.Value, shown bool) string {
	switch {
	case v.IsNull():
		return "NULL"
	case shown:
		return v.String()
	default:
		return t.String() + "(" + strconv.Itoa(v.Size()) + ")"
	}
}
