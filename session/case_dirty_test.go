package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
)

// Profile has a field of every sort whose changes are hard to see.
type Profile struct {
	entity.Identifiable
	entity.Dated
	entity.Versioned
	Labeled
	Phone    *string         `db:"phone,default='none'"`
	Settings Settings        `db:"settings"`
	Former   *Settings       `db:"former"`
	Seen     time.Time       `db:"seen"`
	Score    float64         `db:"score"`
	Price    decimal         `db:"price,type=numeric"`
	Limit    decimal         `db:"credit_limit,type=numeric(12,2)"`
	Angle    angle           `db:"angle"`
	Raw      json.RawMessage `db:"raw"`
	Clicks   int64           `db:"-"`
}

// Labeled is a base of one's own.
type Labeled struct {
	Label string `db:"label"`
}

// Settings are stored as JSON.
type Settings struct {
	Theme string         `json:"theme"`
	Sizes []int          `json:"sizes,omitempty"`
	More  map[string]any `json:"more,omitempty"`
}

// angle is equal to itself and whole turns more.
type angle int

func (a angle) Equal(b angle) bool { return (a-b)%360 == 0 }

var dirtyCases = []testCase{
	{"case_038_no_change_no_write", case038},
	{"case_039_net_change", case039},
	{"case_040_only_the_changed_column", case040},
	{"case_041_zero_values_are_written", case041},
	{"case_042_nil_is_null_and_not_the_default", case042},
	{"case_043_mutation_in_place", case043},
	{"case_044_the_same_instant", case044},
	{"case_045_documented_equality", case045},
	{"case_046_a_changed_key", case046},
	{"case_047_never_in_an_update", case047},
	{"case_048_is_modified", case048},
}

// openProfiles opens a database with one profile in it, which it returns as it was added.
func openProfiles(t *testing.T, b backend) (*fixture, *Profile) {
	t.Helper()
	f := open(t, b)
	p := &Profile{
		Phone: new(string), Settings: Settings{Theme: "dark", Sizes: []int{1, 2}, More: map[string]any{"b": 1, "a": "x"}},
		Former: &Settings{Theme: "light"}, Seen: f.clock.Now(), Price: "1.0", Limit: "1.5", Raw: json.RawMessage(`{"a": [1, 2.50], "b": 1}`),
	}
	f.do(t, func(ctx context.Context) error {
		return errors.Join(session.CreateTables(ctx, (*Profile)(nil)), session.Add(ctx, p))
	})
	f.reset()
	return f, p
}

// change loads the object, lets mutate change it, commits, and returns the columns that were written, in order.
func change[T any](t *testing.T, f *fixture, key any, mutate func(obj *T)) []string {
	t.Helper()
	f.reset()
	f.do(t, func(ctx context.Context) error {
		obj, err := session.Get[T](ctx, key)
		if err == nil {
			mutate(obj)
		}
		return err
	})
	return f.assigned()
}

var (
	setClause  = regexp.MustCompile(` SET (.*?) (?:WHERE|FROM) `)
	assignment = regexp.MustCompile("[\"`]([a-z_]+)[\"`] = ")
)

// assigned returns the columns that the UPDATEs since the last reset set, in the order of their names.
func (f *fixture) assigned() []string {
	var columns []string
	for _, script := range f.trips() {
		for _, set := range setClause.FindAllStringSubmatch(script, -1) {
			for _, a := range assignment.FindAllStringSubmatch(set[1], -1) {
				columns = append(columns, a[1])
			}
		}
	}
	slices.Sort(columns)
	return columns
}

// writes returns how many statements since the last reset wrote something.
func (f *fixture) writes() (n int) {
	for _, script := range f.trips() {
		for _, verb := range []string{"INSERT INTO", "UPDATE ", "DELETE FROM"} {
			n += strings.Count(strings.ReplaceAll(script, "FOR NO KEY UPDATE", ""), verb)
		}
	}
	return n
}

// expectWritten checks which columns were written, those that the session keeps aside.
func expectWritten(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if len(want) > 0 {
		want = append(want, "updated_at", "version")
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: wrote %v, not %v", what, got, want)
	}
}

func case038(t *testing.T, b backend) {
	f, p := openProfiles(t, b)
	f.clock.advance(time.Hour)
	expectWritten(t, "an unchanged object", change(t, f, p.ID, func(*Profile) {}))
	if n := f.writes(); n > 0 {
		t.Errorf("%d writes", n)
	}
	if now := row[Profile](t, f, p.ID); !now.UpdatedAt.Equal(p.UpdatedAt) || now.Version != 1 {
		t.Errorf("updated at %s, version %d", now.UpdatedAt, now.Version)
	}
}

func case039(t *testing.T, b backend) {
	f, p := openProfiles(t, b)
	f.clock.advance(time.Hour)
	got := change(t, f, p.ID, func(p *Profile) {
		p.Label, p.Settings.Theme = "other", "light"
		p.Label, p.Settings.Theme = "", "dark"
	})
	expectWritten(t, "changed and changed back", got)
	if now := row[Profile](t, f, p.ID); !now.UpdatedAt.Equal(p.UpdatedAt) || now.Version != 1 {
		t.Errorf("updated at %s, version %d", now.UpdatedAt, now.Version)
	}
}

func case040(t *testing.T, b backend) {
	f, p := openProfiles(t, b)
	f.clock.advance(time.Hour)
	expectWritten(t, "a label", change(t, f, p.ID, func(p *Profile) { p.Label = "friend" }), "label")
	if now := row[Profile](t, f, p.ID); now.Label != "friend" || now.Version != 2 || !now.UpdatedAt.Equal(p.UpdatedAt.Add(time.Hour)) {
		t.Errorf("the row is %+v", now)
	}
}

func case041(t *testing.T, b backend) {
	f := open(t, b)
	u := &User{Name: "Ann", Email: "a@example.com", Age: 42, Admin: true}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, u) })
	got := change(t, f, u.ID, func(u *User) { u.Name, u.Age, u.Admin = "", 0, false })
	if want := []string{"admin", "age", "name", "updated_at"}; !slices.Equal(got, want) {
		t.Errorf("wrote %v, not %v", got, want)
	}
	if now := row[User](t, f, u.ID); now.Name != "" || now.Age != 0 || now.Admin {
		t.Errorf("the row is %+v", now)
	}
}

func case042(t *testing.T, b backend) {
	f, p := openProfiles(t, b)
	expectWritten(t, "nil", change(t, f, p.ID, func(p *Profile) { p.Phone = nil }), "phone")
	if now := row[Profile](t, f, p.ID); now.Phone != nil {
		t.Errorf("the column with a default holds %q", *now.Phone)
	}
}

func case043(t *testing.T, b backend) {
	f, p := openProfiles(t, b)
	for what, c := range map[string]struct {
		mutate func(p *Profile)
		column string
	}{
		"a struct's field":         {func(p *Profile) { p.Settings.Theme = "light" }, "settings"},
		"a struct's slice element": {func(p *Profile) { p.Settings.Sizes[1] = 9 }, "settings"},
		"a struct's map":           {func(p *Profile) { p.Settings.More["c"] = true }, "settings"},
		"a pointer's struct":       {func(p *Profile) { p.Former.Theme = "none" }, "former"},
		"a pointer's string":       {func(p *Profile) { *p.Phone += "1" }, "phone"},
	} {
		expectWritten(t, what, change(t, f, p.ID, c.mutate), c.column)
	}
	a := &Account{Tags: []string{"a", "b"}, Meta: map[string]any{"k": "v"}, Blob: []byte("blob")}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, a) })
	expectWritten(t, "a slice's element", change(t, f, a.ID, func(a *Account) { a.Tags[0] = "z" }), "tags")
	expectWritten(t, "a map's entry", change(t, f, a.ID, func(a *Account) { a.Meta["k"] = "w" }), "meta")
	expectWritten(t, "a byte", change(t, f, a.ID, func(a *Account) { a.Blob[0] = 'B' }), "blob")
	expectWritten(t, "nothing", change(t, f, a.ID, func(*Account) {}))
	if now := row[Account](t, f, a.ID); now.Tags[0] != "z" || now.Meta["k"] != "w" || string(now.Blob) != "Blob" {
		t.Errorf("the row is %+v", now)
	}
}

func case044(t *testing.T, b backend) {
	f, p := openProfiles(t, b)
	f.do(t, func(ctx context.Context) error { // the object as it was added, with its nanoseconds
		loaded, err := session.Get[Profile](ctx, p.ID)
		if err != nil {
			return err
		}
		seen := loaded.Seen
		monotonic := time.Now()
		for what, same := range map[string]time.Time{
			"another location":      seen.In(time.FixedZone("there", 5*3600)),
			"a monotonic part":      monotonic.Add(seen.Sub(monotonic)),
			"less than 1 µs beside": seen.Add(999 * time.Nanosecond),
		} {
			loaded.Seen = same
			expectModified(t, ctx, what, loaded, false)
		}
		loaded.Seen = seen.Add(time.Microsecond)
		expectModified(t, ctx, "1 µs beside", loaded, true)
		loaded.Seen = time.Now() // has a monotonic part and nanoseconds
		if err := session.Flush(ctx); err != nil {
			return err
		}
		expectModified(t, ctx, "just written", loaded, false)
		return nil
	})
	expectWritten(t, "a reload after the write", change(t, f, p.ID, func(*Profile) {}))
}

func expectModified[T any](t *testing.T, ctx context.Context, what string, obj *T, want bool) {
	t.Helper()
	got, err := session.IsModified(ctx, obj)
	must(t, err)
	if got != want {
		t.Errorf("%s: modified is %t", what, got)
	}
}

func case045(t *testing.T, b backend) {
	f, p := openProfiles(t, b)
	settled := func(what string) {
		t.Helper()
		expectWritten(t, what+", the time after", change(t, f, p.ID, func(*Profile) {}))
	}
	for what, equal := range map[string]func(p *Profile){
		"minus zero":             func(p *Profile) { p.Score = math.Copysign(0, -1) },
		"another decimal's text": func(p *Profile) { p.Price = "1.00" },
		"a decimal's exponent":   func(p *Profile) { p.Price = "10e-1" },
		"the column's scale":     func(p *Profile) { p.Limit = "1.5" },
		"whole turns":            func(p *Profile) { p.Angle += 720 },
		"JSON written otherwise": func(p *Profile) { p.Raw = json.RawMessage(`{"b":1,  "a":[1,2.50]}`) },
	} {
		expectWritten(t, what, change(t, f, p.ID, equal))
	}
	for what, c := range map[string]struct {
		change func(p *Profile)
		column string
	}{
		"another decimal":    {func(p *Profile) { p.Price = "1.01" }, "price"},
		"half a turn":        {func(p *Profile) { p.Angle += 180 }, "angle"},
		"other JSON":         {func(p *Profile) { p.Raw = json.RawMessage(`{"a":[2,1],"b":1}`) }, "raw"},
		"JSON's own null":    {func(p *Profile) { p.Raw = json.RawMessage(`null`) }, "raw"},
		"a rounded decimal":  {func(p *Profile) { p.Limit = "2.50" }, "credit_limit"},
		"an infinite number": {func(p *Profile) { p.Score = math.Inf(-1) }, "score"},
	} {
		expectWritten(t, what, change(t, f, p.ID, c.change), c.column)
		settled(what)
	}
	case045NaN(t, f, p.ID)
	case045Empty(t, f)
}

// case045NaN: a NaN is equal to itself, where the database can hold one.
func case045NaN(t *testing.T, f *fixture, key uuid.UUID) {
	setNaN := func(p *Profile) { p.Score = math.Float64frombits(0x7ff8000000000123) }
	if f.backend.name == "postgres" {
		expectWritten(t, "NaN", change(t, f, key, setNaN), "score")
		expectWritten(t, "another NaN", change(t, f, key, func(p *Profile) { p.Score = math.NaN() }))
		return
	}
	err := f.Do(t.Context(), func(ctx context.Context) error {
		p, err := session.Get[Profile](ctx, key)
		if err == nil {
			setNaN(p)
		}
		return err
	})
	if !errors.Is(err, fault.Invalid) {
		t.Errorf("a NaN that cannot be stored: %v", err)
	}
}

// case045Empty: nil is NULL and empty is not, and neither turns into the other.
func case045Empty(t *testing.T, f *fixture) {
	a := &Account{}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, a) })
	expectWritten(t, "nothing", change(t, f, a.ID, func(a *Account) {
		if a.Tags != nil || a.Meta != nil || a.Blob != nil {
			t.Errorf("nil came back as %#v", a)
		}
	}))
	got := change(t, f, a.ID, func(a *Account) { a.Tags, a.Meta, a.Blob = []string{}, map[string]any{}, []byte{} })
	expectWritten(t, "empty", got, "tags", "meta", "blob")
	expectWritten(t, "nothing after that", change(t, f, a.ID, func(a *Account) {
		if a.Tags == nil || a.Meta == nil || a.Blob == nil {
			t.Errorf("empty came back as %#v", a)
		}
	}))
}

func case046(t *testing.T, b backend) {
	f, p := openProfiles(t, b)
	err := f.Do(t.Context(), func(ctx context.Context) error {
		obj, err := session.Get[Profile](ctx, p.ID)
		if err != nil {
			return err
		}
		obj.ID = uuid.New()
		f.reset()
		return session.Flush(ctx)
	})
	var fe *fault.Error
	if !errors.Is(err, fault.KeyChanged) || !errors.As(err, &fe) || fe.Key != p.ID.String() || !slices.Equal(fe.Columns, []string{"id"}) {
		t.Errorf("got %v", err)
	}
	if f.writes() > 0 {
		t.Errorf("sent %v", f.trips())
	}
	f.do(t, func(ctx context.Context) error { // nothing was written, so that no object says otherwise
		good, bad := &Profile{}, &Profile{}
		must(t, session.Add(ctx, good, bad))
		must(t, session.Commit(ctx))
		key := bad.ID
		good.Label, bad.ID = "changed", uuid.New()
		f.clock.advance(time.Hour)
		if err := session.Flush(ctx); !errors.Is(err, fault.KeyChanged) || good.Version != 1 || good.UpdatedAt != good.CreatedAt {
			t.Errorf("got %v and %+v", err, good)
		}
		bad.ID = key
		return session.Flush(ctx)
	})
	// A part of a composite key, and only the commit notices.
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, &Seat{Row: 1, Number: 2}) })
	err = f.Do(t.Context(), func(ctx context.Context) error {
		seat, err := session.Get[Seat](ctx, session.Key{1, 2})
		if err == nil {
			seat.Number = 3
		}
		return err
	})
	if !errors.Is(err, fault.KeyChanged) || count[Seat](t, f) != 1 {
		t.Errorf("got %v", err)
	}
}

func case047(t *testing.T, b backend) {
	f := open(t, b)
	ticket := &Ticket{Title: "first", Origin: "mail"}
	u := &User{Name: "Ann"}
	f.do(t, func(ctx context.Context) error { return errors.Join(session.Add(ctx, ticket), session.Add(ctx, u)) })
	never := func(what string, got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: wrote %v, not %v", what, got, want)
		}
	}
	never("read-only and generated alone", change(t, f, ticket.ID, func(k *Ticket) { k.Origin, k.Length = "phone", 99 }))
	never("with a change", change(t, f, ticket.ID, func(k *Ticket) { k.Origin, k.Length, k.Title = "phone", 99, "second" }), "title")
	if now := row[Ticket](t, f, ticket.ID); now.Origin != "mail" || now.Length != 6 || now.Title != "second" {
		t.Errorf("the row is %+v", now)
	}
	never("created_at alone", change(t, f, u.ID, func(u *User) { u.CreatedAt = time.Time{} }))
	never("with a change", change(t, f, u.ID, func(u *User) { u.CreatedAt, u.Name = time.Time{}, "Bea" }), "name", "updated_at")
	if now := row[User](t, f, u.ID); !now.CreatedAt.Equal(u.CreatedAt) {
		t.Errorf("created at %s, not %s", now.CreatedAt, u.CreatedAt)
	}
}

func case048(t *testing.T, b backend) {
	f, p := openProfiles(t, b)
	f.do(t, func(ctx context.Context) error {
		obj, err := session.Get[Profile](ctx, p.ID)
		if err != nil {
			return err
		}
		expectModified(t, ctx, "just loaded", obj, false)
		obj.Clicks++
		expectModified(t, ctx, "a field that is no column", obj, false)
		obj.Label = "base"
		expectModified(t, ctx, "a field of an embedded base", obj, true)
		if err := session.Flush(ctx); err != nil {
			return err
		}
		expectModified(t, ctx, "flushed", obj, false)
		obj.Score = 1
		expectModified(t, ctx, "changed again", obj, true)
		obj.Score = 0
		expectModified(t, ctx, "changed back", obj, false)

		added := &Profile{}
		expectModified(t, ctx, "transient", added, false)
		if err := session.Add(ctx, added); err != nil {
			return err
		}
		expectModified(t, ctx, "pending", added, true)
		if err := session.Delete(ctx, obj); err != nil {
			return err
		}
		expectModified(t, ctx, "marked for deletion", obj, true)
		if err := session.Flush(ctx); err != nil {
			return err
		}
		expectModified(t, ctx, "inserted", added, false)
		expectModified(t, ctx, "deleted", obj, false)
		return nil
	})
}
