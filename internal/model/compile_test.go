package model

import (
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/value"
)

type (
	base struct {
		ID uuid.UUID `db:"id,pk"`
	}
	dated struct {
		CreatedAt time.Time `db:"created_at,created"`
		UpdatedAt time.Time `db:"updated_at,updated"`
	}
	TableMark struct{}
	place2    struct {
		Street string
		Zip    string `db:"zip,type=char(5),index"`
	}
	customer struct {
		base
		dated
		TableMark `db:"table:crm.customers"`
		Version   int32      `db:"version,version"`
		GoneAt    *time.Time `db:",softdelete"`
		Email     string     `db:"email,unique"`
		Tenant    string     `db:",readonly,unique=name,index=lookup"`
		UserName  string     `db:",unique=name,secret,index=lookup"`
		Home      place2     `db:",prefix=home_"`
		Work      place2     `db:",prefix=work_"`
		Meta      place2     `db:"meta"`
		Total     string     `db:",type=numeric(12, 2),default=coalesce(0, 1),notnull"`
		Search    string     `db:",generated=lower(email)"`
		BossID    *uuid.UUID `db:",ref=crm.customers.id,ondelete=setnull"`
		CountryID int        `db:",ref=countries,ondelete=restrict"`
		Local     string     `db:"-"`
		hidden    string
	}
	serial struct {
		ID int64 `db:"id,pk,serial"`
	}
	OrderLine struct {
		OrderID int64 `db:",pk"`
		Line    int   `db:",pk"`
	}
)

func must[T any](t testing.TB) *Model {
	t.Helper()
	m, err := For[T]()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestModelOfAStruct(t *testing.T) {
	t.Parallel()
	m := must[customer](t)

	if m.Name != "model.customer" || m.Table != "crm.customers" || m.Type != reflect.TypeFor[customer]() {
		t.Errorf("%s %s %s", m.Name, m.Table, m.Type)
	}
	var columns, names []string
	for i, f := range m.Fields {
		columns, names = append(columns, f.Column), append(names, f.Name)
		if f.Index != i {
			t.Errorf("%s has index %d, is at %d", f.Name, f.Index, i)
		}
	}
	wantColumns := "id created_at updated_at version gone_at email tenant user_name home_street home_zip work_street work_zip meta total search boss_id country_id"
	if got := strings.Join(columns, " "); got != wantColumns {
		t.Errorf("columns:\n%s\n%s", got, wantColumns)
	}
	if got := strings.Join(names[8:10], " "); got != "Home.Street Home.Zip" {
		t.Errorf("paths: %s", got)
	}
	if len(m.Key) != 1 || m.Key[0].Name != "ID" || m.Created.Name != "CreatedAt" || m.Updated.Name != "UpdatedAt" ||
		m.Version.Name != "Version" || m.Deleted.Name != "GoneAt" {
		t.Errorf("roles: %v %v %v %v %v", m.Key, m.Created, m.Updated, m.Version, m.Deleted)
	}
}

func TestFieldsOfAModel(t *testing.T) {
	t.Parallel()
	m := must[customer](t)
	field := func(column string) *Field {
		f, ok := m.Column(column)
		if !ok {
			t.Fatalf("no column %s", column)
		}
		return f
	}

	if f := field("total"); f.Type != value.TypeDecimal || f.Native != "numeric(12, 2)" || f.ServerDefault != "coalesce(0, 1)" || !f.Server() {
		t.Errorf("total: %+v", f)
	}
	if f := field("search"); f.Generated != "lower(email)" || !m.Immutable(f) || !f.Server() {
		t.Errorf("search: %+v", f)
	}
	if f := field("tenant"); !f.ReadOnly || !m.Immutable(f) || f.Server() {
		t.Errorf("tenant: %+v", f)
	}
	if f := field("user_name"); !f.Secret || f.Unique || m.Immutable(f) {
		t.Errorf("user_name: %+v", f)
	}
	if !field("email").Unique || !m.Immutable(field("id")) || !m.Immutable(field("created_at")) || m.Immutable(field("updated_at")) {
		t.Error("unique, or what an UPDATE leaves alone")
	}
	if _, ok := m.Column("Email"); ok {
		t.Error("column names are exact")
	}
}

func TestConstraintsOfAModel(t *testing.T) {
	t.Parallel()
	m := must[customer](t)

	want := []Constraint{
		{"customers_email_key", []string{"email"}, false},
		{"customers_tenant_user_name_key", []string{"tenant", "user_name"}, false},
	}
	if !reflect.DeepEqual(m.Uniques, want) {
		t.Errorf("unique: %v", m.Uniques)
	}
	want = []Constraint{
		{"customers_tenant_user_name_idx", []string{"tenant", "user_name"}, false},
		{"customers_home_zip_idx", []string{"home_zip"}, false},
		{"customers_work_zip_idx", []string{"work_zip"}, false},
	}
	if !reflect.DeepEqual(m.Indexes, want) {
		t.Errorf("indexes: %v", m.Indexes)
	}
	for i, want := range []Reference{
		{"customers_boss_id_fkey", "boss_id", nil, "crm.customers", "id", "SET NULL", false},
		{"customers_country_id_fkey", "country_id", nil, "countries", "id", "RESTRICT", false},
	} {
		got := m.References[i]
		if got.Field.Column != want.Column {
			t.Errorf("reference %d is of %s", i, got.Field.Name)
		}
		if got.Field = nil; got != want {
			t.Errorf("reference %d: %+v", i, got)
		}
	}
}

func TestColumnAt(t *testing.T) {
	t.Parallel()
	m := must[customer](t)
	proto := m.Proto().(*customer)
	at := func(p unsafe.Pointer, typ reflect.Type) string {
		f, ok := m.ColumnAt(p, typ)
		if !ok {
			return ""
		}
		return f.Column
	}
	text, id := reflect.TypeFor[string](), reflect.TypeFor[uuid.UUID]()

	for want, got := range map[string]string{
		"id":       at(unsafe.Pointer(&proto.ID), id),
		"email":    at(unsafe.Pointer(&proto.Email), text),
		"work_zip": at(unsafe.Pointer(&proto.Work.Zip), text),
		"meta":     at(unsafe.Pointer(&proto.Meta), reflect.TypeFor[place2]()),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	email, _ := m.Column("email")
	if _, ok := m.FieldAt(email.Offset+m.Type.Size(), text); ok {
		t.Error("the next struct's field names a column")
	}
	other := new(customer)
	for what, got := range map[string]string{
		"the struct that begins with the key": at(unsafe.Pointer(&proto.base), reflect.TypeFor[base]()),
		"a struct of columns":                 at(unsafe.Pointer(&proto.Home), reflect.TypeFor[place2]()),
		"a field inside of JSON":              at(unsafe.Pointer(&proto.Meta.Zip), text),
		"a field that is left out":            at(unsafe.Pointer(&proto.Local), text),
		"an unexported field":                 at(unsafe.Pointer(&proto.hidden), text),
		"another type":                        at(unsafe.Pointer(&proto.Email), id),
		"another struct":                      at(unsafe.Pointer(&other.Email), text),
		"nil":                                 at(nil, text),
	} {
		if got != "" {
			t.Errorf("%s names column %s", what, got)
		}
	}
}

func TestAModelIsCompiledOnce(t *testing.T) {
	t.Parallel()
	type once struct {
		base
		Name string
	}
	var wg sync.WaitGroup
	models := make([]*Model, 16)
	for i := range models {
		wg.Go(func() { models[i], _ = Of(reflect.TypeFor[*once]()) })
	}
	wg.Wait()
	for _, m := range models {
		if m == nil || m != models[0] || m.Proto() != models[0].Proto() {
			t.Fatal("not the same model")
		}
	}
}

func TestFieldAccess(t *testing.T) {
	t.Parallel()
	m := must[customer](t)
	p, obj := m.New()
	c := obj.(*customer)
	zip, _ := m.Column("work_zip")

	if err := zip.Set(p, value.OfText("12345")); err != nil || c.Work.Zip != "12345" {
		t.Errorf("%q, %v", c.Work.Zip, err)
	}
	c.Work.Zip = "54321"
	if v, err := zip.Get(p); err != nil || v != value.OfText("54321") {
		t.Errorf("%v, %v", v, err)
	}
}

func TestTableNames(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"User": "users", "OrderLine": "order_lines", "Category": "categories", "Address": "addresses", "Box": "boxes",
		"Branch": "branches", "Dish": "dishes", "Day": "days", "HTTPRequest": "http_requests", "Y": "ys",
	} {
		if got := plural(Snake(in)); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"ID": "id", "UserID": "user_id", "UserIDs": "user_ids", "IDsOfUser": "ids_of_user", "HTTPServer": "http_server",
		"SHA256": "sha256", "Line2Text": "line2_text", "Straße": "straße", "ÄrgerLevel": "ärger_level", "A_B": "a_b",
	} {
		if got := Snake(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	if m := must[OrderLine](t); m.Table != "order_lines" || len(m.Key) != 2 {
		t.Errorf("%s %v", m.Table, m.Key)
	}
}

func TestLongConstraintNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("column_", 9)
	a := constraintName("t", []string{long + "a"}, "key")
	b := constraintName("t", []string{long + "b"}, "key")
	if len(a) > maxName || a == b || !strings.HasSuffix(a, "_key") || a != constraintName("x.t", []string{long + "a"}, "key") {
		t.Errorf("%s\n%s", a, b)
	}
}

func TestPending(t *testing.T) {
	t.Parallel()
	a, b := new(serial), new(serial)
	MarkPending(unsafe.Pointer(a))
	if !IsPending(unsafe.Pointer(a)) || IsPending(unsafe.Pointer(b)) {
		t.Error("marked the wrong one")
	}
	ClearPending(unsafe.Pointer(a))
	ClearPending(unsafe.Pointer(b))
	if IsPending(unsafe.Pointer(a)) {
		t.Error("still marked")
	}
}

// TestMisconfigured has one mistake in each struct, and the words that have to tell about it.
func TestMisconfigured(t *testing.T) {
	t.Parallel()
	type pair[T any] struct {
		ID T `db:"id,pk"`
	}
	for _, tt := range []struct {
		in   any
		want string
	}{
		{1, "int is not a struct"},
		{nil, "is not a struct"},
		{struct {
			TableMark `db:"table:t"`
		}{}, "no primary key"},
		{pair[int]{}, "needs a table"},
		{struct{ base }{}, "needs a table"},
		{struct {
			base
			X int `db:"x,uniqe"`
		}{}, `field X: unknown option "uniqe"`},
		{struct {
			base
			X int `db:"id"`
		}{}, "field X: column id is that of ID already"},
		{struct {
			base
			X int `db:"ID"`
		}{}, "column ID is that of ID already"},
		{struct {
			base
			X int `db:"a b"`
		}{}, "made of letters"},
		{struct {
			ID *int `db:",pk"`
		}{}, "field ID: a *int can be NULL, and a primary key cannot"},
		{struct {
			ID []string `db:",pk,notnull"`
		}{}, "does not identify"},
		{struct {
			ID float64 `db:",pk"`
		}{}, "does not identify"},
		{struct {
			ID string `db:",pk,serial"`
		}{}, "option serial is for"},
		{struct {
			ID uint64 `db:",pk,serial"`
		}{}, "option serial is for"},
		{struct {
			A int `db:",pk,serial"`
			B int `db:",pk"`
		}{}, "the whole key"},
		{struct {
			base
			V int    `db:",version"`
			W uint32 `db:",version"`
		}{}, "field W: option version is that of V already"},
		{struct {
			base
			V string `db:",version"`
		}{}, "option version is for a whole number"},
		{struct {
			base
			V string `db:",created"`
		}{}, "option created is for a time.Time"},
		{struct {
			base
			V *time.Time `db:",updated"`
		}{}, "option updated is for a time.Time"},
		{struct {
			base
			V time.Time `db:",softdelete"`
		}{}, "option softdelete is for a *time.Time"},
		{struct {
			base
			V chan int
		}{}, "field V: chan int cannot be stored"},
		{struct {
			base
			V struct{}
		}{}, "holds nothing"},
		{struct{ *base }{}, "not a pointer to it"},
		{struct {
			base `db:"base"`
		}{}, "an embedded struct's columns"},
		{struct {
			base
			v int `db:"v"`
		}{}, "field v: it has a db tag, and is unexported"},
		{struct {
			base
			V int `db:",prefix=v_"`
		}{}, "option prefix is for a struct"},
		{struct {
			base
			V int `db:",ref=a.b.c.d"`
		}{}, "schema.table.column"},
		{struct {
			base
			V int `db:",ref=a,ondelete=setnull"`
		}{}, "can be NULL"},
		{struct {
			base
			V int `db:",unique,unique=a"`
		}{}, "two constraints"},
		{struct {
			base
			V TableMark `db:"table:x"`
		}{}, "embedded entity.Table"},
		{struct {
			TableMark `db:"table:a.b.c"`
		}{}, "a schema and a name"},
		{struct {
			TableMark `db:"table:"`
		}{}, "1 to 63 bytes"},
	} {
		_, err := Of(reflect.TypeOf(tt.in))
		var e *fault.Error
		if !errors.As(err, &e) || e.Kind != fault.Misconfigured || !strings.Contains(err.Error(), tt.want) || e.Message != "" {
			t.Errorf("%T:\n%v\nwant %s", tt.in, err, tt.want)
		}
		if _, again := Of(reflect.TypeOf(tt.in)); reflect.TypeOf(tt.in) != nil && reflect.TypeOf(tt.in).Kind() == reflect.Struct && !errors.Is(again, err) {
			t.Errorf("%T: another error the second time", tt.in)
		}
	}
}

func TestEveryMistakeIsNamed(t *testing.T) {
	t.Parallel()
	type wrong struct {
		A chan int
		B int `db:"x,oops"`
	}
	_, err := For[wrong]()
	for _, want := range []string{"model.wrong", "field A", "field B"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not name %s", err, want)
		}
	}
}
