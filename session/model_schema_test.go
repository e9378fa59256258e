package session_test

import (
	"maps"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
)

// The entities of the property test: a parent with constraints and its children, rows whose key the database makes, a
// table in between, a tree with keys of the client and one with keys of the database, and rows that are only marked as
// deleted.

type mShelf struct {
	entity.Table `db:"table:m_shelves"`
	entity.Identifiable
	entity.Dated
	entity.Versioned
	Name  string  `db:"name"`
	Label *string `db:"label,unique"`
	Place int64   `db:"place,unique"`
	Boxes []*mBox `rel:"m_boxes.shelf_id"`
}

type mBox struct {
	entity.Table `db:"table:m_boxes"`
	entity.Identifiable
	Name     string      `db:"name"`
	ShelfID  uuid.UUID   `db:"shelf_id,ref=m_shelves"`
	Shelf    *mShelf     `rel:"shelf_id"`
	Stickers []*mSticker `rel:"m_box_stickers(box_id,sticker_id)"`
}

type mSticker struct {
	entity.Table `db:"table:m_stickers"`
	entity.Serial
	Name   string  `db:"name"`
	Status string  `db:"status,default='open'"`
	Length int64   `db:"length,generated=length(name)"`
	Boxes  []*mBox `rel:"m_box_stickers(sticker_id,box_id)"`
}

type mBranch struct {
	entity.Table `db:"table:m_branches"`
	entity.Identifiable
	entity.Versioned
	Name     string     `db:"name"`
	ParentID *uuid.UUID `db:"parent_id,ref=m_branches"`
	Parent   *mBranch   `rel:"parent_id"`
	Children []*mBranch `rel:"m_branches.parent_id"`
}

type mTwig struct {
	entity.Table `db:"table:m_twigs"`
	entity.Serial
	Name     string   `db:"name"`
	ParentID *int64   `db:"parent_id,ref=m_twigs"`
	Parent   *mTwig   `rel:"parent_id"`
	Children []*mTwig `rel:"m_twigs.parent_id"`
}

type mMemo struct {
	entity.Table `db:"table:m_memos"`
	entity.Identifiable
	entity.Dated
	entity.Versioned
	entity.SoftDeleted
	Name string  `db:"name"`
	Note *string `db:"note"`
}

type mBoxSticker struct {
	entity.Table `db:"table:m_box_stickers"`
	BoxID        uuid.UUID `db:"box_id,pk,ref=m_boxes,ondelete=cascade"`
	StickerID    int64     `db:"sticker_id,pk,ref=m_stickers,ondelete=cascade"`
}

// mTable is what the model knows of a table. It is written down by hand, and does not come out of what is tested.
type mTable struct {
	name, sql   string
	typ         reflect.Type
	columns     []mColumn
	serial      bool
	versioned   bool
	dated, soft bool
	unique      []string // columns
	parent      *mRel    // its belongs-to
	children    *mRel    // its has-many
	links       *mRel    // its end of the table in between
	verbs       mVerbs
}

// mColumn is one column and its field.
type mColumn struct {
	name  string
	typ   reflect.Type
	index []int
}

// mRel is one end of a relation: the field that holds the other objects.
type mRel struct {
	field  string
	fk     string // the column of the child
	to     *mTable
	null   bool // the column can be NULL
	toMany bool
}

var (
	mShelves  = &mTable{name: "shelf", sql: "m_shelves", typ: reflect.TypeFor[mShelf](), versioned: true, dated: true, unique: []string{"label", "place"}, verbs: mVerbsOf[mShelf]()}
	mBoxes    = &mTable{name: "box", sql: "m_boxes", typ: reflect.TypeFor[mBox](), verbs: mVerbsOf[mBox]()}
	mStickers = &mTable{name: "sticker", sql: "m_stickers", typ: reflect.TypeFor[mSticker](), serial: true, verbs: mVerbsOf[mSticker]()}
	mBranches = &mTable{name: "branch", sql: "m_branches", typ: reflect.TypeFor[mBranch](), versioned: true, verbs: mVerbsOf[mBranch]()}
	mTwigs    = &mTable{name: "twig", sql: "m_twigs", typ: reflect.TypeFor[mTwig](), serial: true, verbs: mVerbsOf[mTwig]()}
	mMemos    = &mTable{name: "memo", sql: "m_memos", typ: reflect.TypeFor[mMemo](), versioned: true, dated: true, soft: true, verbs: mVerbsOf[mMemo]()}
	mLinks    = &mTable{name: "link", sql: "m_box_stickers", typ: reflect.TypeFor[mBoxSticker]()}

	// mTables are in the order in which rows can be deleted.
	mTables = mConnect()
)

func mConnect() []*mTable {
	mShelves.children = &mRel{field: "Boxes", fk: "shelf_id", to: mBoxes, toMany: true}
	mBoxes.parent = &mRel{field: "Shelf", fk: "shelf_id", to: mShelves}
	mBoxes.links = &mRel{field: "Stickers", to: mStickers, toMany: true}
	mStickers.links = &mRel{field: "Boxes", to: mBoxes, toMany: true}
	mBranches.parent = &mRel{field: "Parent", fk: "parent_id", to: mBranches, null: true}
	mBranches.children = &mRel{field: "Children", fk: "parent_id", to: mBranches, null: true, toMany: true}
	mTwigs.parent = &mRel{field: "Parent", fk: "parent_id", to: mTwigs, null: true}
	mTwigs.children = &mRel{field: "Children", fk: "parent_id", to: mTwigs, null: true, toMany: true}
	all := []*mTable{mLinks, mBoxes, mShelves, mStickers, mBranches, mTwigs, mMemos}
	for _, t := range all {
		t.columns = mColumnsOf(t.typ, nil)
	}
	return all
}

// rels returns the table's relations.
func (t *mTable) rels() (all []*mRel) {
	for _, r := range []*mRel{t.parent, t.children, t.links} {
		if r != nil {
			all = append(all, r)
		}
	}
	return all
}

// mColumnsOf lists the fields with a db tag that names a column.
func mColumnsOf(t reflect.Type, at []int) (all []mColumn) {
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(append([]int(nil), at...), i)
		name, _, _ := strings.Cut(f.Tag.Get("db"), ",")
		switch {
		case f.Type == reflect.TypeFor[entity.Table]():
		case f.Anonymous:
			all = append(all, mColumnsOf(f.Type, index)...)
		case name != "":
			all = append(all, mColumn{name, f.Type, index})
		}
	}
	return all
}

// mRow is a row, or what the fields of an object hold. Its values are comparable: nil, int64 (times too, in
// microseconds), string and uuid.UUID.
type mRow map[string]any

// refersTo returns the table that a column with keys refers to, its own for the primary key, or nil.
func (t *mTable) refersTo(column string) *mTable {
	switch {
	case column == "id":
		return t
	case column == "box_id":
		return mBoxes
	case column == "sticker_id":
		return mStickers
	case t.parent != nil && column == t.parent.fk:
		return t.parent.to
	}
	return nil
}

// key returns the primary key of a row of the table.
func (t *mTable) key(r mRow) any {
	if t == mLinks {
		return [2]any{r["box_id"], r["sticker_id"]}
	}
	return r["id"]
}

// read returns what the fields of the struct at ptr hold.
func (t *mTable) read(ptr any) mRow {
	v, r := reflect.ValueOf(ptr).Elem(), mRow{}
	for _, c := range t.columns {
		r[c.name] = mValue(v.FieldByIndex(c.index))
	}
	return r
}

// mValue returns a field's value in the model's form.
func mValue(v reflect.Value) any {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	x := v.Interface()
	if at, ok := x.(time.Time); ok {
		if at.IsZero() {
			return nil
		}
		return at.UnixMicro()
	}
	return x
}

// set sets a field of the struct at ptr.
func (t *mTable) set(ptr any, column string, x any) {
	for _, c := range t.columns {
		if c.name != column {
			continue
		}
		f := reflect.ValueOf(ptr).Elem().FieldByIndex(c.index)
		f.SetZero()
		switch {
		case x == nil:
		case c.typ.Kind() == reflect.Pointer:
			f.Set(reflect.New(c.typ.Elem()))
			f.Elem().Set(reflect.ValueOf(x))
		default:
			f.Set(reflect.ValueOf(x))
		}
	}
}

// scan converts a cell of the database into the model's form.
func (c *mColumn) scan(cell any) any {
	if b, ok := cell.([]byte); ok {
		cell = string(b)
	}
	t := c.typ
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch x := cell.(type) {
	case time.Time:
		return x.UnixMicro()
	case string:
		switch t {
		case reflect.TypeFor[uuid.UUID]():
			return uuid.MustParse(x)
		case reflect.TypeFor[time.Time]():
			at, _ := time.Parse("2006-01-02 15:04:05Z07:00", x)
			return at.UnixMicro()
		}
	}
	return cell
}

// relation returns what the field of a relation holds.
func (o *mObject) relation(r *mRel, w *mWorld) mHeld {
	f := reflect.ValueOf(o.ptr).Elem().FieldByName(r.field)
	if f.IsNil() {
		return mHeld{}
	}
	if !r.toMany {
		return mHeld{one: w.byPtr(f.Interface()), set: true}
	}
	h := mHeld{set: true}
	for i := range f.Len() {
		h.many = append(h.many, w.byPtr(f.Index(i).Interface()))
	}
	return h
}

// setRelation sets the field of a relation.
func (o *mObject) setRelation(r *mRel, h mHeld) {
	f := reflect.ValueOf(o.ptr).Elem().FieldByName(r.field)
	f.SetZero()
	switch {
	case h.one != nil:
		f.Set(reflect.ValueOf(h.one.ptr))
	case h.set && r.toMany:
		list := reflect.MakeSlice(f.Type(), 0, len(h.many))
		for _, x := range h.many {
			list = reflect.Append(list, reflect.ValueOf(x.ptr))
		}
		f.Set(list)
	}
}

func mClone(r mRow) mRow { return maps.Clone(r) }

// pointers returns what the field of a relation holds.
func (o *mObject) pointers(r *mRel) (all []any) {
	f := reflect.ValueOf(o.ptr).Elem().FieldByName(r.field)
	switch {
	case f.IsNil():
	case !r.toMany:
		all = append(all, f.Interface())
	default:
		for i := range f.Len() {
			all = append(all, f.Index(i).Interface())
		}
	}
	return all
}
