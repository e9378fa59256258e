package fault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/fault"
)

// kinds are all of them: a kind that is added belongs here too.
var kinds = []fault.Kind{
	fault.BadRequest, fault.Invalid, fault.NotFound, fault.Conflict, fault.Unauthenticated, fault.Forbidden,
	fault.Unsupported, fault.Misconfigured, fault.Internal,
	fault.Unique, fault.ForeignKey, fault.NotNull, fault.Check, fault.Serialization, fault.Deadlock, fault.LockTimeout,
	fault.StatementTimeout, fault.ConnectionLost, fault.Canceled, fault.PoolTimeout, fault.OutcomeUnknown, fault.PartialCommit,
	fault.NoSession, fault.SessionClosed, fault.SessionFailed, fault.ScopeClosed, fault.ConcurrentUse, fault.Flushing,
	fault.ReadOnly, fault.IdentityConflict, fault.NotPersistent, fault.Deleted, fault.KeyChanged, fault.Stale,
	fault.DependencyCycle,
}

func TestKindIsMatchedThroughWrapping(t *testing.T) {
	t.Parallel()

	for _, k := range kinds {
		err := fmt.Errorf("outer: %w", errors.Join(io.EOF, &fault.Error{Kind: k, Op: "session.Flush"}))
		if !errors.Is(err, k) {
			t.Errorf("errors.Is(%v, %s) is false", err, k)
		}
		if got := fault.KindOf(err); got != k {
			t.Errorf("KindOf = %s, want %s", got, k)
		}
		if errors.Is(err, fault.Kind("other")) {
			t.Errorf("%s matches another kind", k)
		}
		if string(k) != strings.ToLower(string(k)) || strings.ContainsAny(string(k), " -") {
			t.Errorf("kind %q is not lower-case with underscores", k)
		}
	}
}

func TestKindsAreDistinct(t *testing.T) {
	t.Parallel()

	sorted := slices.Sorted(slices.Values(kinds))
	if len(slices.Compact(sorted)) != len(kinds) {
		t.Fatal("two kinds have the same text")
	}
}

// partial is an error that unwraps to a bare kind and to a cause with another one, as uow.PartialCommitError does.
type partial struct{ cause error }

func (p partial) Error() string   { return "partial" }
func (p partial) Unwrap() []error { return []error{fault.PartialCommit, p.cause} }

func TestKindOf(t *testing.T) {
	t.Parallel()

	unique := &fault.Error{Kind: fault.Unique, Message: "taken"}
	cases := map[string]struct {
		err  error
		want fault.Kind
	}{
		"nil":                          {nil, ""},
		"no kind":                      {io.EOF, fault.Internal},
		"bare kind":                    {fault.NotFound, fault.NotFound},
		"canceled":                     {context.Canceled, fault.Canceled},
		"deadline":                     {fmt.Errorf("x: %w", context.DeadlineExceeded), fault.StatementTimeout},
		"outermost of two":             {fault.Wrap(fault.Conflict, "op", unique), fault.Conflict},
		"first branch of a join":       {errors.Join(unique, fault.Stale), fault.Unique},
		"second branch where first no": {errors.Join(io.EOF, unique), fault.Unique},
		"bare kind above its cause":    {partial{unique}, fault.PartialCommit},
		"error without a kind":         {&fault.Error{Op: "x", Err: unique}, fault.Unique},
		"kind wins over deadline":      {errors.Join(context.DeadlineExceeded, fault.Deadlock), fault.Deadlock},
	}
	for name, c := range cases {
		if got := fault.KindOf(c.err); got != c.want {
			t.Errorf("%s: KindOf = %q, want %q", name, got, c.want)
		}
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()

	err := &fault.Error{
		Kind: fault.Unique, Op: "session.Flush", Connection: "analytics", Entity: "shop.User", Key: "7",
		Table: "users", Constraint: "users_email_key", Columns: []string{"email", "tenant"}, Message: "taken",
		Fields: []fault.Field{{Name: "email", Message: "is taken"}}, Err: io.EOF,
	}
	const want = "session.Flush: connection analytics: shop.User 7: unique: taken: email is taken" +
		" (constraint users_email_key on users.email, tenant): EOF"
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
	for _, c := range []struct {
		err  fault.Error
		want string
	}{
		{fault.Error{Kind: fault.NotFound}, "not_found"},
		{fault.Error{Kind: fault.NotFound, Entity: "shop.User"}, "shop.User: not_found"},
		{fault.Error{Kind: fault.NotNull, Columns: []string{"name"}}, "not_null (name)"},
		{fault.Error{Kind: fault.NotNull, Table: "users", Columns: []string{"name"}}, "not_null (users.name)"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestPublicTellsNothingOfADriver(t *testing.T) {
	t.Parallel()

	secret := errors.New("ERROR: duplicate key (email)=(eve@example.com) in users_email_key")
	for _, k := range kinds {
		got := fault.Public(&fault.Error{
			Kind: k, Op: "session.Flush", Table: "users", Constraint: "users_email_key", Columns: []string{"email"}, Err: secret,
		})
		if got == "" || strings.Contains(got, "users") || strings.Contains(got, "email") || strings.Contains(got, "session") {
			t.Errorf("%s: %q", k, got)
		}
	}
	if got := fault.Public(secret); got != fault.Public(fault.Internal) {
		t.Errorf("an error without a kind is shown as %q", got)
	}
}

func TestPublicShowsAMessageOfTheErrorsOwnKind(t *testing.T) {
	t.Parallel()

	inner := fault.New(fault.NotFound, "no such sku")
	if got := fault.Public(fmt.Errorf("x: %w", &fault.Error{Kind: fault.NotFound, Op: "get", Err: inner})); got != "no such sku" {
		t.Errorf("message of the inner error of the same kind: %q", got)
	}
	if got, want := fault.Public(fault.Wrap(fault.Conflict, "reserve", inner)), fault.Public(fault.Conflict); got != want {
		t.Errorf("message of a cause of another kind is shown: %q", got)
	}
	busy := &fault.Error{Kind: fault.PoolTimeout, Message: "nothing happened, try again"}
	if got, want := fault.Public(partial{busy}), fault.Public(fault.PartialCommit); got != want {
		t.Errorf("a partial commit says %q", got)
	}
}

func TestConstructors(t *testing.T) {
	t.Parallel()

	if err := fault.Newf(fault.Conflict, "only %d left", 3); fault.Public(err) != "only 3 left" || !errors.Is(err, fault.Conflict) {
		t.Errorf("Newf: %v", err)
	}
	if fault.Wrap(fault.Conflict, "op", nil) != nil {
		t.Error("Wrap(nil) is not nil")
	}
	if err := fault.Wrap(fault.Conflict, "op", io.EOF); !errors.Is(err, io.EOF) {
		t.Errorf("Wrap loses the cause: %v", err)
	}
	if fault.InvalidFields("op") != nil {
		t.Error("InvalidFields without fields is not nil")
	}
	err := fault.InvalidFields("op", fault.Field{Name: "a", Message: "bad"}, fault.Field{Name: "b", Message: "worse"})
	if got := fault.FieldsOf(fmt.Errorf("x: %w", err)); len(got) != 2 || got[1].Name != "b" || !errors.Is(err, fault.Invalid) {
		t.Errorf("fields %v of %v", got, err)
	}
	if got := fault.FieldsOf(io.EOF); got != nil {
		t.Errorf("fields of an error without: %v", got)
	}
}

func TestPredicates(t *testing.T) {
	t.Parallel()

	retryable := []fault.Kind{fault.Serialization, fault.Deadlock}
	constraint := []fault.Kind{fault.Unique, fault.ForeignKey, fault.NotNull, fault.Check}
	timeout := []fault.Kind{fault.LockTimeout, fault.StatementTimeout, fault.PoolTimeout}
	for _, k := range kinds {
		err := fmt.Errorf("x: %w", &fault.Error{Kind: k})
		if fault.IsRetryable(err) != slices.Contains(retryable, k) {
			t.Errorf("IsRetryable(%s)", k)
		}
		if fault.IsConstraint(err) != slices.Contains(constraint, k) {
			t.Errorf("IsConstraint(%s)", k)
		}
		if fault.IsTimeout(err) != slices.Contains(timeout, k) {
			t.Errorf("IsTimeout(%s)", k)
		}
	}
	for _, settled := range []error{fault.OutcomeUnknown, fault.PartialCommit} {
		if fault.IsRetryable(errors.Join(fault.Serialization, settled)) {
			t.Errorf("%v may be retried", settled)
		}
	}
}
