package entity_test

import (
	"errors"
	"testing"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
)

type ruled struct {
	Code string `json:"code" validate:"len=3"`
}

type deepDTO struct {
	ruled
	Named  ruled             `json:"named"`
	List   []ruled           `json:"list" validate:"max=2,dive"`
	Map    map[string]*ruled `json:"map" validate:"dive"`
	Hidden string            `json:"-" validate:"required"`
	Plain  int               `validate:"gte=1,lte=5"`
	Odd    string            `json:"odd" validate:"omitempty,hexcolor"`
}

type page[T any] struct {
	Items []T `json:"items" validate:"dive"`
}

func TestValidateNamesFieldsAsJSONDoes(t *testing.T) {
	t.Parallel()
	wrong := ruled{"x"}
	dto := deepDTO{ruled: wrong, Named: wrong, List: []ruled{{"abc"}, wrong}, Map: map[string]*ruled{"k": &wrong}, Plain: 6, Odd: "red"}
	const three = " must have exactly 3 characters"
	wantFields(t, entity.Validate(dto), fault.Invalid, "code"+three, "named.code"+three, "list[1].code"+three, "map[k].code"+three,
		"Hidden is required", "Plain must be at most 5", "odd does not satisfy hexcolor")
	wantFields(t, entity.Validate(&page[ruled]{Items: []ruled{wrong}}), fault.Invalid, "items[0].code"+three)
	wantFields(t, entity.Validate(deepDTO{ruled: ruled{"abc"}, Named: ruled{"abc"}, List: make([]ruled, 3), Hidden: "x", Plain: 1}), fault.Invalid,
		"list must have at most 2 elements")
	wantFields(t, entity.Validate(struct {
		X ruled `json:"x"`
	}{wrong}), fault.Invalid, "x.code"+three)
}

func TestValidateOpts(t *testing.T) {
	t.Parallel()
	type inner struct {
		V entity.Opt[string] `json:"v" validate:"email"`
	}
	type dto struct {
		Must  entity.Opt[string]  `json:"must" validate:"required"`
		May   entity.Opt[int]     `json:"may" validate:"min=3"`
		In    entity.Opt[inner]   `json:"in"`
		List  []inner             `json:"list" validate:"dive"`
		Ptr   *inner              `json:"ptr"`
		Other entity.Opt[[]inner] `json:"other" validate:"dive"`
	}
	wantFields(t, entity.Validate(dto{}), fault.Invalid, "must is required")
	wantFields(t, entity.Validate(dto{Must: entity.Null[string](), May: entity.Null[int]()}), fault.Invalid, "must is required")
	fine := dto{Must: entity.Some("x"), In: entity.Some(inner{}), List: []inner{{}}, Ptr: &inner{}, Other: entity.Some([]inner{{}})}
	if err := entity.Validate(fine); err != nil {
		t.Error(err)
	}
	bad := inner{entity.Some("x")}
	wantFields(t, entity.Validate(dto{
		Must: entity.Some("x"), May: entity.Some(2), In: entity.Some(bad), List: []inner{{}, bad}, Ptr: &bad, Other: entity.Some([]inner{bad}),
	}), fault.Invalid, "may must be at least 3", "in.v is not an email address", "list[1].v is not an email address",
		"ptr.v is not an email address", "other[0].v is not an email address")
}

type selfish struct {
	From, To int
	err      error
}

func (s *selfish) Validate() error {
	if s.err != nil {
		return s.err
	}
	if s.From > s.To {
		return errors.New("from is after to")
	}
	return nil
}

func TestADTOMayCheckItself(t *testing.T) {
	t.Parallel()
	if err := entity.Validate(selfish{From: 1, To: 2}); err != nil {
		t.Error(err)
	}
	err := entity.Validate(&selfish{From: 3})
	if !errors.Is(err, fault.Invalid) || fault.Public(err) != "from is after to" {
		t.Errorf("%v", err)
	}
	if err := entity.Validate(&selfish{err: fault.New(fault.Conflict, "taken")}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("%v", err)
	}
}

func TestRulesThatMakeNoSense(t *testing.T) {
	t.Parallel()
	type noSuchRule struct {
		X string `validate:"emial"`
	}
	type wrongType struct {
		X bool `validate:"min=3"`
	}
	for _, v := range []any{noSuchRule{}, wrongType{}, nil, 3} {
		if err := entity.Validate(v); !errors.Is(err, fault.Misconfigured) {
			t.Errorf("%T: %v", v, err)
		}
	}
}
