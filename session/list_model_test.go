package session_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/query"
)

// Piece is what TestLists_as_documented asks for: columns of every type that a list can filter and sort by.
type Piece struct {
	ID      int64 `db:"id,pk"`
	Tenant  int64
	Name    *string
	Note    string
	Size    *int32
	Big     int64
	Huge    uint64
	Weight  *float64
	Ratio   float32
	Price   *decimal `db:"price,type=numeric"`
	On      *bool    `db:"is_on"`
	Open    bool
	Made    *time.Time
	At      time.Time
	Day     *time.Time `db:"day,type=date"`
	Owner   *uuid.UUID
	Status  *string
	Grade   Grade
	MakerID *uuid.UUID `db:"maker_id,ref=makers"`
	Maker   *Maker     `rel:"maker_id"`
	Deleted *time.Time `db:"deleted,softdelete"`
}

var (
	pieces       = entity.Columns[Piece]()
	pieceMaker   = entity.Columns[Maker]()
	pieceMakers  = []*Maker{makerOfPieces(1, "acme"), makerOfPieces(2, "Жанна")}
	pieceZones   = []string{"UTC", "Asia/Tokyo", "America/Sao_Paulo", "Pacific/Apia"}
	pieceStarted = query.Desc(&pieces.At) // the order of the list where a client asks for none
)

var pieceList = query.NewList[Piece](
	query.Join(&pieces.Maker),
	query.Field("id", &pieces.ID),
	query.Field("name", &pieces.Name).Searched(),
	query.Field("note", &pieces.Note),
	query.Field("size", &pieces.Size).Searched(),
	query.Field("sizes", &pieces.Size).AsSelect(),
	query.Field("big", &pieces.Big),
	query.Field("huge", &pieces.Huge),
	query.Field("weight", &pieces.Weight),
	query.Field("ratio", &pieces.Ratio),
	query.Field("price", &pieces.Price).Searched(),
	query.Field("on", &pieces.On),
	query.Field("open", &pieces.Open),
	query.Field("made", &pieces.Made),
	query.Field("madeOn", &pieces.Made).AsDate(),
	query.Field("at", &pieces.At),
	query.Field("atDay", &pieces.At).AsDate(),
	query.Field("day", &pieces.Day),
	query.Field("owner", &pieces.Owner).Searched(),
	query.Field("status", &pieces.Status).AsSelect().Searched(),
	query.Field("grade", &pieces.Grade).AsSelect(),
	query.Field("maker", &pieceMaker.Name).Searched(),
	query.Computed("label", query.Coalesce(query.Col(&pieces.Status), new("none"))),
	pieceStarted,
)

func makerOfPieces(id byte, name string) *Maker {
	m := &Maker{Name: name}
	m.ID = uuid.UUID{15: id}
	return m
}

// lField is a field of the list as the model knows it. Its values are nil for NULL, a string, a *big.Rat for every kind of
// number, a bool, a time.Time or a uuid.UUID; of a grade, the word that clients know it by.
type lField struct {
	name     string
	kind     string // text, number, bool, date, time, select, uuid
	of       func(p *Piece) any
	by       func(desc bool) query.Sort
	searched bool
	twin     string // the field of the same column that comes before it
	whole    bool   // the days of the column have no zone
	// column makes of a number what the column holds, false where it cannot: nil for what is not a number.
	column func(text string) (*big.Rat, bool)
}

var lFields = []*lField{
	{name: "id", kind: "number", of: func(p *Piece) any { return rat(p.ID) }, by: by(query.Col(&pieces.ID)), column: wholeNumber("-9223372036854775808", "9223372036854775807")},
	{name: "name", kind: "text", of: func(p *Piece) any { return deref(p.Name) }, by: by(query.Col(&pieces.Name)), searched: true},
	{name: "note", kind: "text", of: func(p *Piece) any { return p.Note }, by: by(query.Col(&pieces.Note))},
	{name: "size", kind: "number", of: sizeOf, by: by(query.Col(&pieces.Size)), searched: true, column: wholeNumber("-2147483648", "2147483647")},
	{name: "sizes", kind: "select", twin: "size", of: sizeOf, by: by(query.Col(&pieces.Size)), column: wholeNumber("-2147483648", "2147483647")},
	{name: "big", kind: "number", of: func(p *Piece) any { return rat(p.Big) }, by: by(query.Col(&pieces.Big)), column: wholeNumber("-9223372036854775808", "9223372036854775807")},
	{name: "huge", kind: "number", of: func(p *Piece) any { return rat(p.Huge) }, by: by(query.Col(&pieces.Huge)), column: wholeNumber("0", "18446744073709551615")},
	{name: "weight", kind: "number", of: func(p *Piece) any {
		if p.Weight == nil {
			return nil
		}
		return new(big.Rat).SetFloat64(*p.Weight)
	}, by: by(query.Col(&pieces.Weight)), column: floatNumber(64)},
	{name: "ratio", kind: "number", of: func(p *Piece) any { return new(big.Rat).SetFloat64(float64(p.Ratio)) }, by: by(query.Col(&pieces.Ratio)), column: floatNumber(32)},
	{name: "price", kind: "number", of: func(p *Piece) any {
		if p.Price == nil {
			return nil
		}
		return rat(*p.Price)
	}, by: by(query.Col(&pieces.Price)), searched: true, column: anyNumber},
	{name: "on", kind: "bool", of: func(p *Piece) any { return deref(p.On) }, by: by(query.Col(&pieces.On))},
	{name: "open", kind: "bool", of: func(p *Piece) any { return p.Open }, by: by(query.Col(&pieces.Open))},
	{name: "made", kind: "time", of: madeOf, by: by(query.Col(&pieces.Made))},
	{name: "madeOn", kind: "date", twin: "made", of: madeOf, by: by(query.Col(&pieces.Made))},
	{name: "at", kind: "time", of: func(p *Piece) any { return p.At }, by: by(query.Col(&pieces.At))},
	{name: "atDay", kind: "date", twin: "at", of: func(p *Piece) any { return p.At }, by: by(query.Col(&pieces.At))},
	{name: "day", kind: "date", of: func(p *Piece) any { return deref(p.Day) }, by: by(query.Col(&pieces.Day)), whole: true},
	{name: "owner", kind: "uuid", of: func(p *Piece) any { return deref(p.Owner) }, by: by(query.Col(&pieces.Owner)), searched: true},
	{name: "status", kind: "select", of: func(p *Piece) any { return deref(p.Status) }, by: by(query.Col(&pieces.Status)), searched: true},
	{name: "grade", kind: "select", of: func(p *Piece) any { return strings.Repeat("A", int(p.Grade)) }, by: by(query.Col(&pieces.Grade))},
	{name: "maker", kind: "text", of: makerOf, by: by(query.Col(&pieceMaker.Name)), searched: true},
	{name: "label", kind: "text", of: func(p *Piece) any {
		if p.Status == nil {
			return "none"
		}
		return *p.Status
	}, by: by(query.Coalesce(query.Col(&pieces.Status), new("none")))},
}

func sizeOf(p *Piece) any {
	if p.Size == nil {
		return nil
	}
	return rat(*p.Size)
}

func madeOf(p *Piece) any { return deref(p.Made) }

func makerOf(p *Piece) any {
	for _, m := range pieceMakers {
		if p.MakerID != nil && *p.MakerID == m.ID {
			return m.Name
		}
	}
	return nil
}

func deref[V any](p *V) any {
	if p == nil {
		return nil
	}
	return *p
}

// rat is the number that v is as text.
func rat(v any) *big.Rat {
	r, ok := new(big.Rat).SetString(fmt.Sprint(v))
	if !ok {
		panic(fmt.Sprint("no number: ", v))
	}
	return r
}

// wholeNumber is a column of whole numbers: what lies between two of them stays what it is, and equals none.
func wholeNumber(least, greatest string) func(text string) (*big.Rat, bool) {
	lo, hi := rat(least), rat(greatest)
	return func(text string) (*big.Rat, bool) {
		r := rat(text)
		return r, r.Cmp(lo) >= 0 && r.Cmp(hi) <= 0
	}
}

func floatNumber(bits int) func(text string) (*big.Rat, bool) {
	return func(text string) (*big.Rat, bool) {
		exact := rat(text)
		if bits == 32 {
			x, _ := exact.Float32()
			r := new(big.Rat).SetFloat64(float64(x))
			return r, r != nil
		}
		x, _ := exact.Float64()
		r := new(big.Rat).SetFloat64(x)
		return r, r != nil
	}
}

func anyNumber(text string) (*big.Rat, bool) { return rat(text), true }

// folded is a text without its case: of ASCII, Latin-1 and Cyrillic, which are all that the test has.
func folded(s any) string {
	text, _ := s.(string)
	return strings.Map(unicode.ToLower, text)
}

// lCompare compares two values of a field, neither of which is nil.
func lCompare(a, b any) int {
	switch a := a.(type) {
	case string:
		return strings.Compare(a, b.(string))
	case *big.Rat:
		return a.Cmp(b.(*big.Rat))
	case bool:
		return cmp.Compare(truth(a), truth(b.(bool)))
	case time.Time:
		return a.Compare(b.(time.Time))
	case uuid.UUID:
		other := b.(uuid.UUID)
		return bytes.Compare(a[:], other[:])
	}
	panic(fmt.Sprintf("no value of a field: %T", a))
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// lOperators are the operators of each kind of field.
var lOperators = map[string][]string{
	"text":   {"contains", "doesNotContain", "equals", "doesNotEqual", "startsWith", "endsWith", "isEmpty", "isNotEmpty", "isAnyOf"},
	"number": {"=", "!=", ">", ">=", "<", "<=", "isEmpty", "isNotEmpty", "isAnyOf"},
	"date":   {"is", "not", "after", "onOrAfter", "before", "onOrBefore", "isEmpty", "isNotEmpty"},
	"time":   {"is", "not", "after", "onOrAfter", "before", "onOrBefore", "isEmpty", "isNotEmpty"},
	"bool":   {"is"},
	"select": {"is", "not", "isAnyOf"},
	"uuid":   {"equals", "doesNotEqual", "isEmpty", "isNotEmpty", "isAnyOf"},
}

// holds says whether an operator of the grid finds a value of the field: docs/queries.md, "The grid".
func (f *lField) holds(operator string, have any, wanted []any, zone *time.Location) bool {
	switch operator {
	case "isEmpty":
		return have == nil || have == ""
	case "isNotEmpty":
		return have != nil && have != ""
	case "isAnyOf":
		return slices.ContainsFunc(wanted, func(w any) bool { return f.same(have, w) })
	}
	want := wanted[0]
	switch operator {
	case "doesNotContain":
		return have == nil || !strings.Contains(folded(have), folded(want))
	case "doesNotEqual", "!=":
		return have == nil || !f.same(have, want)
	case "not":
		if f.kind == "select" {
			return have == nil || !f.same(have, want)
		}
		return have != nil && f.place(have, want, zone) != 0
	case "is":
		switch f.kind {
		case "bool":
			return (have == true) == want.(bool)
		case "select":
			return f.same(have, want)
		}
	}
	if have == nil {
		return false
	}
	switch operator {
	case "contains":
		return strings.Contains(folded(have), folded(want))
	case "startsWith":
		return strings.HasPrefix(folded(have), folded(want))
	case "endsWith":
		return strings.HasSuffix(folded(have), folded(want))
	case "equals":
		return f.same(have, want)
	case "=":
		return lCompare(have, want) == 0
	case ">":
		return lCompare(have, want) > 0
	case ">=":
		return lCompare(have, want) >= 0
	case "<":
		return lCompare(have, want) < 0
	case "<=":
		return lCompare(have, want) <= 0
	}
	at := f.place(have, want, zone)
	if f.kind == "time" && operator != "is" {
		at = lCompare(have, want) // by the instant
	}
	return map[string]bool{"is": at == 0, "after": at > 0, "onOrAfter": at >= 0, "before": at < 0, "onOrBefore": at <= 0}[operator]
}

// same reports whether a value of the field is the one wanted: texts in any case, those of selects as they are.
func (f *lField) same(have, want any) bool {
	switch {
	case have == nil:
		return false
	case f.kind == "text":
		return folded(have) == folded(want)
	default:
		return lCompare(have, want) == 0
	}
}

// place says where an instant is beside the day that is wanted, or beside the minute of the instant that is.
func (f *lField) place(have, want any, zone *time.Location) int {
	at := have.(time.Time)
	if f.kind == "time" {
		return at.Truncate(time.Minute).Compare(want.(time.Time).Truncate(time.Minute))
	}
	if f.whole {
		zone = time.UTC
	}
	return daysBetween(query.DateOf(at.In(zone)), want.(query.Date))
}

func daysBetween(a, b query.Date) int {
	return cmp.Or(cmp.Compare(a.Year, b.Year), cmp.Compare(a.Month, b.Month), cmp.Compare(a.Day, b.Day))
}

var plainNumber = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// searches reports whether the quick filter finds a text in the field.
func (f *lField) searches(have any, text string) bool {
	switch have := have.(type) {
	case string:
		return f.searched && strings.Contains(folded(have), folded(text))
	case *big.Rat:
		return f.searched && plainNumber.MatchString(text) && have.Cmp(rat(text)) == 0
	case uuid.UUID:
		return f.searched && strings.EqualFold(have.String(), text)
	}
	return false
}

// lLevel is a level of an order.
type lLevel struct {
	field *lField
	desc  bool
	first bool // what has no value comes first
}

// compare compares two rows at the level.
func (l lLevel) compare(a, b *Piece) int {
	x, y := l.field.of(a), l.field.of(b)
	switch {
	case x == nil && y == nil:
		return 0
	case x == nil || y == nil:
		if (x == nil) == l.first {
			return -1
		}
		return 1
	case l.desc:
		return lCompare(y, x)
	default:
		return lCompare(x, y)
	}
}

// listed returns the rows that a client sees and that hold, in an order which the key makes complete.
func listed(all []*Piece, holds func(p *Piece) bool, levels []lLevel, keyDesc bool) []*Piece {
	var rows []*Piece
	for _, p := range all {
		if p.Tenant == 0 && p.Deleted == nil && holds(p) {
			rows = append(rows, p)
		}
	}
	levels = append(slices.Clone(levels), lLevel{field: lFields[0], desc: keyDesc})
	slices.SortFunc(rows, func(a, b *Piece) int {
		for _, l := range levels {
			if c := l.compare(a, b); c != 0 {
				return c
			}
		}
		return 0
	})
	return rows
}

// ids prints the keys of rows.
func ids(rows []*Piece) string {
	all := make([]string, len(rows))
	for i, p := range rows {
		all[i] = fmt.Sprint(p.ID)
	}
	return "[" + strings.Join(all, " ") + "]"
}
