package entity_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
)

// TestPromise20NewHasItsKey: the UUID is there before any session.
func TestPromise20NewHasItsKey(t *testing.T) {
	t.Parallel()
	a, b := entity.New[order](), entity.New[order]()
	if a.ID.Version() != 7 || a.ID == b.ID || strings.Compare(a.ID.String(), b.ID.String()) > 0 {
		t.Errorf("%s %s", a.ID, b.ID)
	}
	type child struct {
		OrderID uuid.UUID `db:",pk,ref=orders"`
		No      int       `db:",pk"`
	}
	if c := entity.New[child](); c.OrderID != uuid.Nil || c.No != 0 {
		t.Errorf("a key that refers to another table was made up: %+v", c)
	}
	type text struct {
		ID string `db:"id,pk,type=uuid"`
	}
	if x := entity.New[text](); uuid.Validate(x.ID) != nil {
		t.Errorf("%q", x.ID)
	}
	if x := entity.New[struct{ X chan int }](); x == nil || x.X != nil {
		t.Error("a wrong mapping is for the verbs to report")
	}
}

// TestPromise21BasesCombine: all of them in one entity.
func TestPromise21BasesCombine(t *testing.T) {
	t.Parallel()
	if err := entity.Check[order](); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(struct {
		entity.Identifiable
		entity.Dated
		entity.Versioned
		entity.SoftDeleted
	}{})
	want := `{"id":"00000000-0000-0000-0000-000000000000","created_at":"0001-01-01T00:00:00Z","updated_at":"0001-01-01T00:00:00Z","version":0}`
	if string(text) != want || err != nil {
		t.Errorf("%s, %v", text, err)
	}
}

type orderIn struct {
	identDTO
	Status string      `json:"status" validate:"required"`
	Level  string      `json:"level"`
	Total  json.Number `json:"total"`
	Weight int         `json:"weight"`
	Note   *string     `json:"note"`
	PaidAt *time.Time  `json:"paid_at"`
	Host   string      `json:"host"`
	Big    *big.Int    `json:"big"`
	Tags   []string    `json:"tags"`
	Meta   struct {
		K string `json:"k"`
	} `json:"meta"`
	Raw   map[string]any `json:"raw"`
	Ship  addressDTO     `json:"ship"`
	Lines []struct {
		Quantity int64 `json:"quantity" validate:"min=1"`
	} `json:"lines" validate:"dive"`
	Confirm bool `json:"confirm" dto:"-"`
}

func someInput(t *testing.T) orderIn {
	t.Helper()
	var in orderIn
	err := json.Unmarshal([]byte(`{
		"id": "01890a5d-ac96-774b-bcce-b302099a8057", "status": "open", "level": "high", "total": 12.50, "weight": 7, "note": "fragile",
		"paid_at": "2026-01-02T03:04:05Z", "host": "10.0.0.1", "big": 99, "tags": ["a"], "meta": {"k": "v"}, "raw": {"x": 1},
		"ship": {"street": "Quay 1", "zip": "20457"}, "lines": [{"quantity": 2}, {"quantity": 3}], "confirm": true}`), &in)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// TestPromise23DTOToEntity: every matching field, the inherited key included.
func TestPromise23DTOToEntity(t *testing.T) {
	t.Parallel()
	in := someInput(t)
	o, err := entity.From[order](&in)
	if err != nil {
		t.Fatal(err)
	}
	want := &order{
		Identifiable: entity.Identifiable{ID: in.ID}, Status: "open", Level: 1, Total: cents{1250}, Weight: 7, Note: in.Note,
		PaidAt: sql.Null[time.Time]{V: *in.PaidAt, Valid: true}, Host: netip.MustParseAddr("10.0.0.1"), Big: big.NewInt(99), Tags: []string{"a"},
		Meta: map[string]any{"k": "v"}, Raw: json.RawMessage(`{"x":1}`), Ship: address{"Quay 1", "20457"},
		Lines: []*line{{Quantity: 2}, {Quantity: 3}},
	}
	if !reflect.DeepEqual(o, want) {
		t.Errorf("\n%+v\n%+v", o, want)
	}
	in.Tags[0], *in.Note = "changed", "changed"
	if o.Tags[0] != "a" || *o.Note != "fragile" {
		t.Error("the entity shares what the DTO holds")
	}
}

func TestPromise32InvalidInputIsNamed(t *testing.T) {
	t.Parallel()
	in := someInput(t)
	in.Status, in.Lines[1].Quantity = "", 0
	_, err := entity.From[order](in)
	wantFields(t, err, fault.Invalid, "status is required", "lines[1].quantity must be at least 1")

	in = someInput(t)
	in.Level, in.Weight, in.Host, in.Lines[1].Quantity, in.Total = "medium", 70000, "nowhere", 1<<40, "x"
	_, err = entity.From[order](in)
	wantFields(t, err, fault.Invalid, "level is not valid", "total is not valid", "weight is outside of what the field holds",
		"host is not valid", "lines[1].quantity is outside of what the field holds")

	type bad struct {
		ID     string `json:"id"`
		Status string `json:"status"`
	}
	_, err = entity.From[order](bad{ID: "x"})
	wantFields(t, err, fault.Invalid, "id is not a UUID")
}

// TestPromise19DatesOnlyWhenAllowed, and whatever else is not for clients to set.
func TestPromise19DatesOnlyWhenAllowed(t *testing.T) {
	t.Parallel()
	type greedy struct {
		CreatedAt time.Time  `json:"created_at"`
		UpdatedAt time.Time  `json:"updated_at"`
		DeletedAt *time.Time `json:"deleted_at"`
		Version   int64      `json:"version"`
		Tenant    string     `json:"tenant"`
		Search    string     `json:"search"`
		Status    string     `json:"status"`
	}
	at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	in := greedy{at, at, &at, 9, "other", "x", "open"}

	o, err := entity.From[order](in)
	if err != nil || !reflect.DeepEqual(o, &order{Status: "open"}) {
		t.Errorf("%+v, %v", o, err)
	}
	o, err = entity.From[order](in, entity.FromOptions{Allow: []string{"created_at", "Tenant"}})
	if err != nil || !o.CreatedAt.Equal(at) || o.Tenant != "other" || !o.UpdatedAt.IsZero() || o.Version != 0 || o.DeletedAt != nil {
		t.Errorf("%+v, %v", o, err)
	}
	for _, name := range []string{"search", "nothing"} {
		if _, err := entity.From[order](in, entity.FromOptions{Allow: []string{name}}); !errors.Is(err, fault.Misconfigured) {
			t.Errorf("allow %s: %v", name, err)
		}
	}
	nested := struct{ Parent greedy }{in}
	if o, err := entity.From[order](nested); err != nil || !reflect.DeepEqual(o.Parent, &order{Status: "open"}) {
		t.Errorf("an entity in an entity: %+v, %v", o, err)
	}
}

func TestPromise23TypesThatDoNotFit(t *testing.T) {
	t.Parallel()
	type wrongTag struct {
		X string `dto:"Nowhere"`
	}
	type unknown struct{ Shade string }
	type ambiguous struct {
		Status string `json:"tenant"`
	}
	type lossy struct{ Total float64 }
	type wrongKind struct{ Status int }
	type deep struct{ Ship struct{ Country string } }
	type pointer struct{ *identDTO }
	for _, tt := range []struct {
		from func() error
		to   func() error
		dto  any
		want string
	}{
		{from[wrongTag], to[wrongTag], wrongTag{}, "Nowhere"},
		{from[unknown], to[unknown], unknown{}, "field Shade: the entity has no such field"},
		{from[ambiguous], to[ambiguous], ambiguous{}, "dto tag"},
		{from[lossy], to[lossy], lossy{}, "field Total"},
		{from[wrongKind], to[wrongKind], wrongKind{}, "field Status"},
		{from[deep], to[deep], deep{}, "field Ship: field Country"},
		{from[pointer], to[pointer], pointer{}, "embed the struct itself"},
	} {
		pair := func() error { return entity.CheckPair(reflect.TypeOf(tt.dto), reflect.TypeFor[*order]()) }
		for name, do := range map[string]func() error{"from": tt.from, "to": tt.to, "pair": pair} {
			err := do()
			if !errors.Is(err, fault.Misconfigured) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "order") {
				t.Errorf("%s %T: %v", name, tt.dto, err)
			}
		}
	}
	if err := entity.CheckPair(reflect.TypeFor[*orderDTO](), reflect.TypeFor[order]()); err != nil {
		t.Error(err)
	}
	for _, bad := range [][2]reflect.Type{{nil, nil}, {reflect.TypeFor[int](), reflect.TypeFor[order]()}, {reflect.TypeFor[identDTO](), nil}} {
		if err := entity.CheckPair(bad[0], bad[1]); !errors.Is(err, fault.Misconfigured) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if _, err := entity.From[unknown](identDTO{}); !errors.Is(err, fault.Misconfigured) {
		t.Errorf("an entity without a key: %v", err)
	}
	for _, dto := range []any{nil, 1, (*identDTO)(nil)} {
		if _, err := entity.From[order](dto); !errors.Is(err, fault.Misconfigured) {
			t.Errorf("%T: %v", dto, err)
		}
	}
}

func from[D any]() error {
	var dto D
	_, err := entity.From[order](dto)
	return err
}

func to[D any]() error {
	_, err := entity.To[D](&order{})
	return err
}

// TestRoundTripThroughADTO is the page's own snippet: what came out goes in again, with its key.
func TestPromise23RoundTrip(t *testing.T) {
	t.Parallel()
	type schema struct {
		ID     string `json:"id"`
		Status string `json:"status"`
	}
	o := someOrder()
	dto, err := entity.To[schema](o)
	if err != nil {
		t.Fatal(err)
	}
	again, err := entity.From[order](dto)
	if err != nil || again.ID != o.ID || again.Status != o.Status {
		t.Errorf("%+v, %v", again, err)
	}
}
