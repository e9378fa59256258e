package model_test

import (
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/internal/model"
)

type author struct {
	ID     uuid.UUID `db:"id,pk"`
	Books  []*book   `db:"-" rel:"books.author_id"`
	Shelf  *shelf    `rel:"shelfs.owner_id"`
	Prizes []*prize  `rel:"author_prizes(author_id,prize_id)"`
}

type book struct {
	ID       int64     `db:"id,pk,serial"`
	AuthorID uuid.UUID `db:"author_id,ref=authors"`
	Author   *author   `rel:"author_id"`
	NextID   *int64    `db:"next_id,ref=books"`
	Next     *book     `rel:"next_id"`
	Earlier  []*book   `rel:"books.next_id"`
}

type shelf struct {
	ID      uuid.UUID `db:"id,pk"`
	OwnerID uuid.UUID `db:"owner_id"`
}

type prize struct {
	ID      int64     `db:"id,pk,serial"`
	Authors []*author `rel:"author_prizes(prize_id,author_id)"`
}

func ends(t *testing.T, m *model.Model, name string) (*model.Relation, *model.Ends) {
	t.Helper()
	for _, r := range m.Relations {
		if r.Name == name {
			e, err := r.Ends()
			if err != nil {
				t.Fatal(err)
			}
			return r, e
		}
	}
	t.Fatalf("no relation %s", name)
	return nil, nil
}

func TestRelationKindsAndEnds(t *testing.T) {
	authors, _ := model.For[author]()
	books, err := model.For[book]()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		m                             *model.Model
		name                          string
		kind                          model.RelationKind
		target, local, foreign, linkT string
	}{
		{authors, "Books", model.HasMany, "books", "id", "author_id", ""},
		{authors, "Shelf", model.HasOne, "shelfs", "id", "owner_id", ""},
		{authors, "Prizes", model.ManyToMany, "prizes", "id", "id", "author_prizes"},
		{books, "Author", model.BelongsTo, "authors", "author_id", "id", ""},
		{books, "Next", model.BelongsTo, "books", "next_id", "id", ""},
		{books, "Earlier", model.HasMany, "books", "id", "next_id", ""},
	} {
		r, e := ends(t, c.m, c.name)
		if r.Kind != c.kind || e.Target.Table != c.target || e.Local.Column != c.local || e.Foreign.Column != c.foreign {
			t.Errorf("%s: %v %s %s %s", c.name, r.Kind, e.Target.Table, e.Local.Column, e.Foreign.Column)
		}
		if c.linkT != "" && e.Link.Table != c.linkT {
			t.Errorf("%s: link %s", c.name, e.Link.Table)
		}
	}
}

func TestRelationLinkIsSharedByBothEnds(t *testing.T) {
	authors, _ := model.For[author]()
	prizes, _ := model.For[prize]()
	_, a := ends(t, authors, "Prizes")
	_, b := ends(t, prizes, "Authors")
	if a.Link != b.Link || a.LinkLocal != b.LinkForeign || a.LinkForeign != b.LinkLocal {
		t.Error("the two ends have tables of their own")
	}
	if len(a.Link.Key) != 2 || len(a.Link.References) != 2 || a.Link.References[0].OnDelete != "CASCADE" {
		t.Errorf("link: %+v", a.Link)
	}
}

func TestRelationAccess(t *testing.T) {
	authors, _ := model.For[author]()
	books, _ := model.For[book]()
	many, _ := ends(t, authors, "Books")
	one, _ := ends(t, books, "Author")
	a, b := &author{}, &book{}
	one.SetOne(unsafe.Pointer(b), unsafe.Pointer(a))
	if b.Author != a || one.One(unsafe.Pointer(b)) != unsafe.Pointer(a) {
		t.Error("SetOne")
	}
	if many.Many(unsafe.Pointer(a)) != nil {
		t.Error("a nil slice is not nil")
	}
	many.SetMany(unsafe.Pointer(a), []unsafe.Pointer{unsafe.Pointer(b)})
	if len(a.Books) != 1 || a.Books[0] != b || many.Many(unsafe.Pointer(a))[0] != unsafe.Pointer(b) {
		t.Error("SetMany")
	}
	proto := authors.Proto().(*author)
	if r, ok := authors.RelationAt(unsafe.Pointer(&proto.Books), reflect.TypeFor[[]*book]()); !ok || r != many {
		t.Error("RelationAt")
	}
	if _, ok := authors.RelationAt(unsafe.Pointer(&a.Books), reflect.TypeFor[[]*book]()); ok {
		t.Error("a field of another struct names a relation")
	}
}

func TestRelationMistakes(t *testing.T) {
	type target struct {
		ID   uuid.UUID `db:"id,pk"`
		Name string
	}
	type pair struct {
		A int `db:"a,pk"`
		B int `db:"b,pk"`
	}
	for _, c := range []struct {
		entity any
		want   string
	}{
		{struct {
			ID uuid.UUID `db:"id,pk"`
			R  target    `rel:"x"`
		}{}, "pointer to an entity"},
		{struct {
			ID uuid.UUID `db:"id,pk"`
			R  *target   `db:"r" rel:"x"`
		}{}, "no column"},
		{struct {
			ID uuid.UUID `db:"id,pk"`
			R  []*target `rel:"x"`
		}{}, "table.column"},
		{struct {
			ID uuid.UUID `db:"id,pk"`
			R  *target   `rel:"l(a,b)"`
		}{}, "is a slice"},
		{struct {
			ID uuid.UUID `db:"id,pk"`
			R  []*target `rel:"l(a)"`
		}{}, "table(own_id,other_id)"},
		{struct {
			ID uuid.UUID `db:"id,pk"`
			R  *target   `rel:"nope"`
		}{}, "no column nope"},
		{struct {
			ID uuid.UUID `db:"id,pk"`
			N  string    `db:"n"`
			R  *target   `rel:"n"`
		}{}, "is a"},
		{struct {
			ID uuid.UUID `db:"id,pk"`
			R  []*target `rel:"others.x"`
		}{}, "is targets, not others"},
		{struct {
			ID uuid.UUID `db:"id,pk"`
			N  int       `db:"n"`
			R  *pair     `rel:"n"`
		}{}, "2 columns"},
		{struct {
			ID uuid.UUID `db:"id,pk"`
			R  *target   `rel:""`
		}{}, "1 to 63"},
	} {
		text := reflect.TypeOf(c.entity).String()
		// A type without a name needs a table.
		fields := []reflect.StructField{{
			Name: "Table", Anonymous: true, Type: reflect.TypeFor[model.Table](), Tag: `db:"table:things"`,
		}}
		for i := range reflect.TypeOf(c.entity).NumField() {
			fields = append(fields, reflect.TypeOf(c.entity).Field(i))
		}
		m, err := model.Of(reflect.StructOf(fields))
		for i := 0; err == nil && i < len(m.Relations); i++ {
			_, err = m.Relations[i].Ends()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", text, err, c.want)
		}
	}
}
