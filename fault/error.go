package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Error is an error with its kind and everything known about what it concerns. Unknown fields are empty. An Error is
// immutable once it is returned to a caller.
type Error struct {
	// Kind classifies the failure. Required.
	Kind Kind
	// Op is what was being done, as package and verb: "session.Flush".
	Op string
	// Connection is the name of the database connection it concerns.
	Connection string
	// Entity is the Go type of the entity it concerns, as package and name: "shop.User".
	Entity string
	// Key is the primary key of the entity it concerns, printed.
	Key string
	// Table, Constraint and Columns name what the database refused, as far as it says.
	Table      string
	Constraint string
	Columns    []string
	// Code is the database's own code: a SQLSTATE, or SQLite's extended result code.
	Code string
	// Fields are the fields of the request that are wrong, for Invalid and BadRequest.
	Fields []Field
	// Message is a sentence for whoever made the request. It never holds anything a driver said.
	Message string
	// Err is the cause.
	Err error
}

// Field is one field of a request and what is wrong with it.
type Field struct {
	// Name is the field's path as the caller knows it: "lines[0].quantity".
	Name string `json:"name"`
	// Message says what is wrong, for the caller.
	Message string `json:"message"`
}

// New returns an error of the kind with a message for whoever made the request.
func New(kind Kind, message string) error { return &Error{Kind: kind, Message: message} }

// Newf is New with a format. The verb %w is not supported: wrap a cause with [Wrap].
func Newf(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Wrap returns an error of the kind for the operation op with err as its cause, or nil where err is nil.
func Wrap(kind Kind, op string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: kind, Op: op, Err: err}
}

// InvalidFields returns an Invalid error that names the fields, or nil where there are none.
func InvalidFields(op string, fields ...Field) error {
	if len(fields) == 0 {
		return nil
	}
	return &Error{Kind: Invalid, Op: op, Fields: fields}
}

// Error prints "op: entity key: kind: message (constraint x on t.a, b): cause", leaving out what is unknown. It is
// meant for logs and developers; what a caller may see is [Public].
func (e *Error) Error() string {
	var b strings.Builder
	part := func(s string) {
		if s == "" {
			return
		}
		if b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(s)
	}
	part(e.Op)
	if e.Connection != "" {
		part("connection " + e.Connection)
	}
	if e.Entity != "" && e.Key != "" {
		part(e.Entity + " " + e.Key)
	} else {
		part(e.Entity)
	}
	part(string(e.Kind))
	part(e.Message)
	for _, f := range e.Fields {
		part(f.Name + " " + f.Message)
	}
	e.where(&b)
	if e.Err != nil {
		part(e.Err.Error())
	}
	return b.String()
}

// where appends the constraint, table and columns in parentheses.
func (e *Error) where(b *strings.Builder) {
	if e.Constraint == "" && e.Table == "" && len(e.Columns) == 0 {
		return
	}
	b.WriteString(" (")
	sep := ""
	if e.Constraint != "" {
		b.WriteString("constraint " + e.Constraint)
		sep = " on "
	}
	if e.Table != "" {
		b.WriteString(sep + e.Table)
		sep = "."
	}
	if len(e.Columns) > 0 {
		b.WriteString(sep + strings.Join(e.Columns, ", "))
	}
	b.WriteByte(')')
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is this error's kind.
func (e *Error) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && k == e.Kind
}

// Public returns the sentence that whoever made the request may read: the message of the outermost [Error] of err's
// kind that has one, else a fixed sentence for that kind. Nothing of a driver, a table or a statement is in it, and no
// message of a cause that has another kind: it would contradict the kind that is shown beside it.
func Public(err error) string {
	kind := KindOf(err)
	for e := range errorsOf(err) {
		if e.Kind == kind && e.Message != "" {
			return e.Message
		}
	}
	if s, ok := sentences[kind]; ok {
		return s
	}
	return sentences[Internal]
}

// FieldsOf returns the fields of the request that err complains about.
func FieldsOf(err error) []Field {
	for e := range errorsOf(err) {
		if len(e.Fields) > 0 {
			return e.Fields
		}
	}
	return nil
}

// errorsOf yields the Errors of err's first branch, outermost first.
func errorsOf(err error) func(yield func(*Error) bool) {
	return func(yield func(*Error) bool) {
		for err != nil {
			var e *Error
			if !errors.As(err, &e) {
				return
			}
			if !yield(e) {
				return
			}
			err = e.Err
		}
	}
}

var sentences = map[Kind]string{
	BadRequest:       "the request cannot be understood",
	Invalid:          "a value in the request is not acceptable",
	NotFound:         "there is no such thing",
	Conflict:         "the current state does not allow this",
	Unauthenticated:  "authentication is required",
	Forbidden:        "this is not allowed",
	Unsupported:      "this is not supported",
	Unique:           "something with that value exists already",
	ForeignKey:       "it refers to something that does not exist, or something still refers to it",
	NotNull:          "a required value is missing",
	Check:            "a value is outside what is allowed",
	Stale:            "it was changed by somebody else in the meantime",
	Serialization:    "too many things changed at once; please try again",
	Deadlock:         "too many things changed at once; please try again",
	LockTimeout:      "the service is busy; please try again",
	StatementTimeout: "the service took too long; please try again",
	Canceled:         "the request was given up before it was done",
	PoolTimeout:      "the service is busy; please try again",
	ConnectionLost:   "the service is unavailable; please try again",
	OutcomeUnknown:   "it is not known whether this was done; look before trying again",
	PartialCommit:    "only a part of this was done",
	ReadOnly:         "nothing can be written here",
	Internal:         "something went wrong",
}
