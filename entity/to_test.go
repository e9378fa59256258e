package entity_test

import (
	"encoding/json"
	"errors"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
)

type (
	addressDTO struct {
		Street string `json:"street"`
		Zip    string `json:"zip"`
	}
	lineDTO struct {
		ID       int64 `json:"id"`
		Quantity int   `json:"quantity"`
	}
	identDTO struct {
		ID uuid.UUID `json:"id"`
	}
	orderDTO struct {
		identDTO
		CreatedAt time.Time             `json:"created_at"`
		UpdatedAt string                `json:"updatedAt"`
		Version   *int                  `json:"version"`
		State     string                `json:"state" dto:"Status"`
		Level     string                `json:"level"`
		Total     json.Number           `json:"total"`
		Weight    float64               `json:"weight"`
		Note      string                `json:"note"`
		PaidAt    *time.Time            `json:"paid_at"`
		Host      string                `json:"host"`
		Big       *big.Int              `json:"big"`
		Tags      []string              `json:"tags"`
		Meta      map[string]any        `json:"meta"`
		Raw       struct{ X int }       `json:"raw"`
		Ship      addressDTO            `json:"ship"`
		ShipZip   string                `json:"ship_zip"`
		BillZip   string                `json:"-" dto:"-"`
		Bill      *address              `json:"bill"`
		Lines     []lineDTO             `json:"lines"`
		Parent    *orderDTO             `json:"parent"`
		Local     string                `json:"-"`
		Optional  entity.Opt[status]    `json:"optional" dto:"status"`
		Deleted   entity.Opt[time.Time] `json:"deleted_at"`
	}
)

// TestPromise22EntityToDTO has one field of each sort.
func TestPromise22EntityToDTO(t *testing.T) {
	t.Parallel()
	o := someOrder()
	o.Parent = someOrder()

	dto, err := entity.To[orderDTO](o)
	if err != nil {
		t.Fatal(err)
	}
	one := 1
	want := orderDTO{
		identDTO: identDTO{o.ID}, CreatedAt: o.CreatedAt, UpdatedAt: "2026-01-02T03:04:05Z", Version: &one, State: "open", Level: "high",
		Total: "12.50", Weight: 7, Note: "fragile", PaidAt: &o.PaidAt.V, Host: "10.0.0.1", Big: big.NewInt(99), Tags: []string{"a", "b"},
		Meta: map[string]any{"k": "v"}, Raw: struct{ X int }{1}, Ship: addressDTO{"Quay 1", "20457"}, ShipZip: "20457",
		Bill: &address{"Hill 2", "60311"}, Lines: []lineDTO{{1, 2}}, Optional: entity.Some(status("open")), Deleted: entity.Null[time.Time](),
	}
	parent := dto.Parent
	dto.Parent = nil
	if !reflect.DeepEqual(dto, want) {
		t.Errorf("\n%+v\n%+v", dto, want)
	}
	if parent == nil || parent.ID != o.Parent.ID {
		t.Errorf("parent: %+v", parent)
	}
	if text, err := json.Marshal(dto); err != nil || !strings.Contains(string(text), `"level":"high"`) {
		t.Errorf("an enum in JSON: %s, %v", text, err)
	}
}

func TestPromise22NothingIsShared(t *testing.T) {
	t.Parallel()
	type copies struct {
		Tags []string
		Meta map[string]any
		Note *string
		Raw  json.RawMessage
	}
	o := someOrder()
	dto, err := entity.To[*copies](o)
	if err != nil {
		t.Fatal(err)
	}
	dto.Tags[0], dto.Meta["k"], *dto.Note, dto.Raw[0] = "changed", "changed", "changed", '!'
	if o.Tags[0] != "a" || o.Meta["k"] != "v" || *o.Note != "fragile" || o.Raw[0] != '{' {
		t.Errorf("the entity changed with its DTO: %+v", o)
	}
}

func TestPromise22MissingValueIsAnError(t *testing.T) {
	t.Parallel()
	o := someOrder()
	o.Note = nil
	o.Lines = nil
	type outer struct {
		Parent struct {
			Note string `json:"note"`
		} `json:"parent"`
	}
	_, err := entity.To[orderDTO](o)
	wantFields(t, err, fault.Internal, "note has no value, and the field needs one")
	if !errors.Is(err, fault.Invalid) {
		t.Errorf("not invalid: %v", err)
	}
	_, err = entity.To[outer](&order{Parent: o})
	wantFields(t, err, fault.Internal, "parent.note has no value, and the field needs one")
	_, err = entity.ToSlice[outer]([]order{{Parent: someOrder()}, {Parent: o}})
	wantFields(t, err, fault.Internal, "[1].parent.note has no value, and the field needs one")
}

func TestPromise22TheDTOIsValidated(t *testing.T) {
	t.Parallel()
	type dto struct {
		Status string `json:"status" validate:"oneof=paid sent"`
		Note   string `json:"note" validate:"required"`
	}
	o := someOrder()
	*o.Note = ""
	_, err := entity.To[dto](o)
	wantFields(t, err, fault.Internal, "status is not one of: paid sent", "note is required")
}

func TestPromise22CyclesEnd(t *testing.T) {
	t.Parallel()
	o := someOrder()
	o.Parent = o
	_, err := entity.To[orderDTO](o)
	if !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "contain itself") {
		t.Errorf("%v", err)
	}
	// The same where the DTO has the entity itself.
	type whole struct{ Parent *order }
	o.private = 0
	if _, err = entity.To[whole](o); err != nil {
		t.Errorf("an entity with unexported fields is not taken apart: %v", err)
	}
	type node struct {
		Next *node
	}
	n := &node{}
	n.Next = n
	if _, err := entity.To[node](n); !errors.Is(err, fault.Invalid) {
		t.Errorf("%v", err)
	}
}

// TestPromise24 shows what the database alone knows, before the flush and after. The session marks what it adds.
func TestPromise24UnknownFieldsAreNamed(t *testing.T) {
	t.Parallel()
	type idDTO struct{ ID int64 }
	type discountDTO struct{ Discount string }
	type quantityDTO struct{ Quantity int }
	l := &line{Quantity: 1}

	wantUnknown := func(what string, err error, column string) {
		t.Helper()
		var e *fault.Error
		if !errors.As(err, &e) || e.Kind != fault.NotPersistent || len(e.Columns) != 1 || e.Columns[0] != column {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := entity.To[idDTO](l)
	wantUnknown("a serial key that is zero", err, "id")
	if _, err := entity.To[quantityDTO](l); err != nil {
		t.Errorf("what is known: %v", err)
	}
	if _, err := entity.To[discountDTO](l); err != nil {
		t.Errorf("a default of what no session has: %v", err)
	}

	model.MarkPending(unsafe.Pointer(l))
	defer model.ClearPending(unsafe.Pointer(l))
	_, err = entity.To[discountDTO](l)
	wantUnknown("a default before the flush", err, "discount")
	_, err = entity.ToSlice[discountDTO]([]*line{{}, l})
	wantUnknown("in a slice", err, "discount")
	type outer struct{ Lines []discountDTO }
	o := someOrder()
	o.Lines = append(o.Lines, l)
	_, err = entity.To[outer](o)
	wantUnknown("in another entity", err, "discount")
	l.Discount = "5"
	if _, err := entity.To[discountDTO](l); err != nil {
		t.Errorf("a default that was overridden: %v", err)
	}

	type searchDTO struct{ Search string }
	model.MarkPending(unsafe.Pointer(o))
	o.Search = "what was there"
	_, err = entity.To[searchDTO](o)
	wantUnknown("a generated column before the flush", err, "search")

	model.ClearPending(unsafe.Pointer(l))
	model.ClearPending(unsafe.Pointer(o))
	l.ID, l.Discount = 7, ""
	if dto, err := entity.To[idDTO](l); err != nil || dto.ID != 7 {
		t.Errorf("after the flush: %v, %v", dto, err)
	}
	if _, err := entity.To[searchDTO](o); err != nil {
		t.Errorf("after the flush: %v", err)
	}
}

func TestToSlice(t *testing.T) {
	t.Parallel()
	dtos, err := entity.ToSlice[identDTO]([]order(nil))
	if text, _ := json.Marshal(dtos); err != nil || string(text) != "[]" {
		t.Errorf("%s, %v", text, err)
	}
	if _, err := entity.ToSlice[identDTO]([]*order{nil}); !errors.Is(err, fault.Misconfigured) {
		t.Errorf("nil: %v", err)
	}
}

func TestToOfWhatIsNoEntity(t *testing.T) {
	t.Parallel()
	type view struct {
		Count int `json:"count"`
	}
	type dto struct {
		N int64 `json:"count"`
	}
	for _, in := range []any{view{3}, &view{3}} {
		if got, err := entity.To[dto](in); err != nil || got.N != 3 {
			t.Errorf("%v, %v", got, err)
		}
	}
	for _, in := range []any{nil, 3, (*view)(nil), []view{}} {
		if _, err := entity.To[dto](in); !errors.Is(err, fault.Misconfigured) {
			t.Errorf("%T: %v", in, err)
		}
	}
	if _, err := entity.To[int](view{}); !errors.Is(err, fault.Misconfigured) {
		t.Errorf("into a number: %v", err)
	}
}

// wantFields checks an error's kind and what it says of which fields.
func wantFields(t *testing.T, err error, kind fault.Kind, want ...string) {
	t.Helper()
	var got []string
	for _, f := range fault.FieldsOf(err) {
		got = append(got, f.Name+" "+f.Message)
	}
	if fault.KindOf(err) != kind || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n%q\nwant %s %q", err, got, kind, want)
	}
}
