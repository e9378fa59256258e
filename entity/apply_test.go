package entity_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
)

type addressPatch struct {
	Street entity.Opt[string] `json:"street,omitzero" validate:"max=12"`
	Zip    *string            `json:"zip"`
}

type orderPatch struct {
	Status entity.Opt[string]         `json:"status,omitzero" validate:"oneof=open paid"`
	Note   entity.Opt[string]         `json:"note,omitzero" validate:"max=10"`
	PaidAt entity.Opt[time.Time]      `json:"paid_at,omitzero"`
	Weight *int                       `json:"weight"`
	Tags   []string                   `json:"tags"`
	Meta   entity.Opt[map[string]any] `json:"meta,omitzero"`
	Total  entity.Opt[string]         `json:"total,omitzero"`
	Ship   entity.Opt[addressPatch]   `json:"ship,omitzero"`
	Bill   *addressPatch              `json:"bill"`
	Alt    *addressPatch              `json:"alt"`
}

func applyJSON(t *testing.T, o *order, text string) ([]string, error) {
	t.Helper()
	var p orderPatch
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	return entity.Present(&p), entity.Apply(o, &p)
}

// TestPromise25PatchDTOs: absent, null and value are three different things.
func TestPromise25PatchDTOs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		patch   string
		change  func(o *order)
		present []string
	}{
		{`{}`, func(*order) {}, nil},
		{`{"note": null}`, func(o *order) { o.Note = nil }, []string{"note"}},
		{`{"note": ""}`, func(o *order) { *o.Note = "" }, []string{"note"}},
		{`{"note": "x"}`, func(o *order) { *o.Note = "x" }, []string{"note"}},
		{`{"paid_at": null}`, func(o *order) { o.PaidAt = sql.Null[time.Time]{} }, []string{"paid_at"}},
		{`{"weight": 0}`, func(o *order) { o.Weight = 0 }, []string{"weight"}},
		{`{"weight": null, "tags": null}`, func(*order) {}, nil},
		{`{"tags": []}`, func(o *order) { o.Tags = []string{} }, []string{"tags"}},
		{`{"meta": null}`, func(o *order) { o.Meta = nil }, []string{"meta"}},
		{`{"meta": {}}`, func(o *order) { o.Meta = map[string]any{} }, []string{"meta"}},
		{`{"total": "0.05"}`, func(o *order) { o.Total = cents{5} }, []string{"total"}},
		{`{"ship": {"zip": "1"}}`, func(o *order) { o.Ship.Zip = "1" }, []string{"ship"}},
		{`{"bill": {"street": ""}}`, func(o *order) { o.Bill.Street = "" }, []string{"bill"}},
		{`{"alt": {"zip": "2"}}`, func(o *order) { o.Alt = &address{"Alt 3", "2"} }, []string{"alt"}},
		{`{"status": "paid", "weight": 3}`, func(o *order) { o.Status, o.Weight = "paid", 3 }, []string{"status", "weight"}},
	} {
		o, want := someOrder(), someOrder()
		want.ID = o.ID
		alt := &address{"Alt 3", "1"}
		o.Alt, want.Alt = alt, &address{"Alt 3", "1"}
		tt.change(want)
		present, err := applyJSON(t, o, tt.patch)
		if err != nil || !reflect.DeepEqual(o, want) || !reflect.DeepEqual(present, tt.present) {
			t.Errorf("%s: %v %v\n%+v\n%+v", tt.patch, present, err, o, want)
		}
		if *alt != (address{"Alt 3", "1"}) {
			t.Errorf("%s: changed what others may point to", tt.patch)
		}
	}
}

func TestPromise25APatchIsAppliedWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	for patch, want := range map[string][]string{
		`{"weight": 3, "status": null}`:                             {"status may not be null"},
		`{"weight": 3, "status": "lost"}`:                           {"status is not one of: open paid"},
		`{"weight": 3, "note": "longer than ten"}`:                  {"note must have at most 10 characters"},
		`{"weight": -1, "total": "x"}`:                              {"weight is outside of what the field holds", "total is not valid"},
		`{"weight": 3, "ship": null}`:                               {"ship may not be null"},
		`{"weight": 3, "ship": {"street": null}}`:                   {"ship.street may not be null"},
		`{"note": "new", "bill": {"street": "longer than twelve"}}`: {"bill.street must have at most 12 characters"},
		`{"note": "new", "bill": {"street": null}}`:                 {"bill.street may not be null"},
	} {
		o, before := someOrder(), someOrder()
		before.ID = o.ID
		_, err := applyJSON(t, o, patch)
		wantFields(t, err, fault.Invalid, want...)
		if !reflect.DeepEqual(o, before) {
			t.Errorf("%s changed the entity", patch)
		}
	}
}

func TestPromise25WhatAPatchLeavesAlone(t *testing.T) {
	t.Parallel()
	type greedy struct {
		ID        uuid.UUID             `json:"id"`
		Version   entity.Opt[int]       `json:"version"`
		Tenant    string                `json:"tenant"`
		UpdatedAt entity.Opt[time.Time] `json:"updated_at"`
		Status    string                `json:"status"`
	}
	o := someOrder()
	id := o.ID
	p := greedy{uuid.New(), entity.Some(9), "other", entity.Null[time.Time](), ""}
	if err := entity.Apply(o, p); err != nil || o.ID != id || o.Version != 1 || o.Tenant != "acme" || o.UpdatedAt.IsZero() || o.Status != "" {
		t.Errorf("%+v, %v", o, err)
	}
	if err := entity.Apply(o, p, entity.ApplyOptions{Allow: []string{"version", "ID"}}); err != nil || o.Version != 9 || o.ID != p.ID {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestApplyLeavesOtherEntitiesAlone: a session knows them by their address, so a changed copy would be lost.
func TestApplyLeavesOtherEntitiesAlone(t *testing.T) {
	t.Parallel()
	type nested struct{ Parent *struct{ Status string } }
	if err := entity.Apply(someOrder(), nested{}); !errors.Is(err, fault.Misconfigured) || !strings.Contains(err.Error(), "an entity of its own") {
		t.Errorf("%v", err)
	}
}

func TestApplyToWhatIsNoEntity(t *testing.T) {
	t.Parallel()
	for _, e := range []any{nil, order{}, (*order)(nil), new(int), &struct{ X int }{}} {
		if err := entity.Apply(e, orderPatch{}); !errors.Is(err, fault.Misconfigured) {
			t.Errorf("%T: %v", e, err)
		}
	}
	for _, p := range []any{nil, 1, (*orderPatch)(nil)} {
		if err := entity.Apply(&order{}, p); !errors.Is(err, fault.Misconfigured) {
			t.Errorf("%T: %v", p, err)
		}
		if names := entity.Present(p); names != nil {
			t.Errorf("%T: %v", p, names)
		}
	}
}

func TestOptInJSON(t *testing.T) {
	t.Parallel()
	type patch struct {
		A entity.Opt[int]      `json:"a,omitzero"`
		B entity.Opt[*int]     `json:"b,omitzero"`
		C entity.Opt[[]string] `json:"c,omitzero"`
	}
	for _, text := range []string{`{}`, `{"a":null}`, `{"a":0}`, `{"b":null,"c":null}`, `{"a":1,"b":2,"c":[]}`} {
		var p patch
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			t.Fatal(err)
		}
		if again, err := json.Marshal(p); err != nil || string(again) != text {
			t.Errorf("%s became %s, %v", text, again, err)
		}
	}
	var p patch
	if err := json.Unmarshal([]byte(`{"a":"x"}`), &p); err == nil || !p.A.IsZero() {
		t.Errorf("%v, %v", p.A, err)
	}
	if got := entity.Some(3).Or(4); got != 3 {
		t.Error(got)
	}
	if got := entity.Null[int]().Or(4); got != 4 {
		t.Error(got)
	}
	if got := entity.Some(3).OptionalType(); got != reflect.TypeFor[*int]() {
		t.Error(got)
	}
}

// FuzzOpt checks that an Opt reads exactly the JSON that its type does.
func FuzzOpt(f *testing.F) {
	for _, seed := range []string{`null`, `"x"`, `""`, ` null`, `1`, `{`, `"\ud800"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var opt struct{ V entity.Opt[string] }
		var plain struct{ V *string }
		body := []byte(`{"V":` + text + `}`)
		err, want := json.Unmarshal(body, &opt), json.Unmarshal(body, &plain)
		if (err == nil) != (want == nil) {
			t.Fatalf("%s: %v, and for the type itself %v", text, err, want)
		}
		got, ok := opt.V.Get()
		if err == nil && (ok != (plain.V != nil) || (ok && got != *plain.V)) {
			t.Errorf("%s: %q %t", text, got, ok)
		}
	})
}
