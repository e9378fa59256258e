package entity_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
)

type seller struct {
	entity.Identifiable
	entity.SoftDeleted
	Name  string
	Sales []*sale `rel:"sales.seller_id"`
}

type sale struct {
	entity.Identifiable
	SellerID  uuid.UUID  `db:"seller_id,ref=sellers"`
	Seller    *seller    `rel:"seller_id"`
	GiftTo    *uuid.UUID `db:"gift_to,ref=sellers"`
	Recipient *seller    `rel:"gift_to"`
	Parts     []*part    `json:"parts" rel:"parts.sale_id"`
	Invoice   *invoice   `rel:"invoices.sale_id"`
	Labels    []*label   `rel:"sale_labels(sale_id,label_id)"`
}

type part struct {
	entity.Serial
	SaleID uuid.UUID `db:"sale_id,ref=sales"`
	Sale   *sale     `rel:"sale_id"`
	Count  int       `json:"count"`
}

type invoice struct {
	entity.Identifiable
	SaleID uuid.UUID `db:"sale_id"`
	Total  int
}

type label struct {
	entity.Identifiable
	Name string
}

type (
	sellerDTO struct{ Name string }
	partDTO   struct {
		Count int `json:"count"`
	}
	saleDTO struct {
		ID        uuid.UUID  `json:"id"`
		Seller    sellerDTO  `json:"seller"`
		Recipient *sellerDTO `json:"recipient"`
		Parts     []partDTO  `json:"parts"`
		Invoice   *struct{ Total int }
		Labels    []*label
	}
	saleInput struct {
		SellerID uuid.UUID
		Parts    []*partDTO `json:"parts"`
		Invoice  *struct{ Total int }
	}
)

func someSale() *sale {
	s := &sale{Seller: &seller{Name: "Ann"}, Parts: []*part{{Count: 1}, {Count: 2}}, Invoice: &invoice{Total: 9}, Labels: []*label{{Name: "red"}}}
	s.ID, s.SellerID = uuid.New(), uuid.New()
	for i, p := range s.Parts {
		p.ID, p.Sale = int64(i+1), s
	}
	return s
}

func TestToTakesRelations(t *testing.T) {
	t.Parallel()
	s := someSale()
	got, err := entity.To[saleDTO](s)
	if err != nil {
		t.Fatal(err)
	}
	if got.Seller.Name != "Ann" || len(got.Parts) != 2 || got.Parts[1].Count != 2 || got.Invoice.Total != 9 || got.Recipient != nil {
		t.Errorf("%+v", got)
	}
	if got.Labels[0] == s.Labels[0] || got.Labels[0].Name != "red" {
		t.Error("the label is the entity itself")
	}
	s.Parts, s.Invoice = []*part{}, nil
	if got, err = entity.To[saleDTO](s); err != nil || got.Parts == nil || len(got.Parts) > 0 || got.Invoice != nil {
		t.Errorf("empty: %+v, %v", got, err)
	}
}

func TestToWantsRelationsLoaded(t *testing.T) {
	t.Parallel()
	gift := uuid.New()
	for name, c := range map[string]struct {
		change func(s *sale)
		want   string
	}{
		"has many":     {func(s *sale) { s.Parts = nil }, "entity_test.sale: internal: the relation Parts is not loaded"},
		"many to many": {func(s *sale) { s.Labels = nil }, "query.With(&columns.Labels)"},
		"belongs to":   {func(s *sale) { s.Seller = nil }, "the relation Seller is not loaded"},
		"nullable":     {func(s *sale) { s.GiftTo = &gift }, "Recipient"},
		"soft-deleted": {func(s *sale) { s.Seller = nil }, "WithDeleted"},
	} {
		s := someSale()
		c.change(s)
		_, err := entity.To[saleDTO](s)
		if fault.KindOf(err) != fault.Internal || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	type owner struct {
		Sales []struct{ Parts []partDTO }
	}
	_, err := entity.To[owner](&seller{Sales: []*sale{someSale(), {}}})
	if err == nil || !strings.Contains(err.Error(), "entity_test.sale: internal: the relation Parts") {
		t.Errorf("nested: %v", err)
	}
}

func TestFromMakesRelatedEntities(t *testing.T) {
	t.Parallel()
	in := saleInput{SellerID: uuid.New(), Parts: []*partDTO{{Count: 3}, {Count: 4}}, Invoice: &struct{ Total int }{5}}
	s, err := entity.From[sale](in)
	if err != nil {
		t.Fatal(err)
	}
	if s.SellerID != in.SellerID || len(s.Parts) != 2 || s.Parts[1].Count != 4 || s.Parts[0].ID != 0 || s.Invoice.Total != 5 {
		t.Errorf("%+v", s)
	}
	if s, err = entity.From[sale](saleInput{}); err != nil || s.Parts != nil || s.Invoice != nil {
		t.Errorf("%+v, %v", s, err)
	}
	_, err = entity.From[sale](saleInput{Parts: []*partDTO{{}, nil}})
	if !errors.Is(err, fault.Invalid) || len(fault.FieldsOf(err)) != 1 || fault.FieldsOf(err)[0].Name != "parts[1]" {
		t.Errorf("a null among the parts: %v", err)
	}
}

func TestPatchesLeaveRelationsAlone(t *testing.T) {
	t.Parallel()
	s := someSale()
	for name, patch := range map[string]any{
		"list":  struct{ Parts []partDTO }{},
		"one":   struct{ Seller *sellerDTO }{},
		"opt":   struct{ Parts entity.Opt[[]partDTO] }{},
		"value": struct{ Invoice struct{ Total int } }{},
	} {
		err := entity.Apply(s, patch)
		if fault.KindOf(err) != fault.Misconfigured || !strings.Contains(err.Error(), "relation") {
			t.Errorf("%s: %v", name, err)
		}
	}
	left := struct {
		Parts []partDTO `dto:"-"`
	}{}
	if err := entity.Apply(s, left); err != nil || len(s.Parts) != 2 {
		t.Errorf("left out: %v", err)
	}
}

func TestADTOHoldsNoEntityWithRelations(t *testing.T) {
	t.Parallel()
	type leaky struct{ Parts []*part }
	err := entity.CheckPair(reflect.TypeFor[leaky](), reflect.TypeFor[sale]())
	if fault.KindOf(err) != fault.Misconfigured || !strings.Contains(err.Error(), "use a DTO") {
		t.Errorf("%v", err)
	}
	if err := entity.CheckPair(reflect.TypeFor[saleDTO](), reflect.TypeFor[sale]()); err != nil {
		t.Error(err)
	}
}

func TestCheckResolvesRelations(t *testing.T) {
	t.Parallel()
	if err := errors.Join(entity.Check[seller](), entity.Check[sale](), entity.Check[part]()); err != nil {
		t.Error(err)
	}
	type Lost struct {
		entity.Identifiable
		Seller *seller `rel:"seller_id"`
		Parts  []*part `rel:"parts.lost_id"`
	}
	err := entity.Check[Lost]()
	if fault.KindOf(err) != fault.Misconfigured || !strings.Contains(err.Error(), "field Seller") || !strings.Contains(err.Error(), "field Parts") {
		t.Errorf("%v", err)
	}
}
