package session_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/query"
)

// The values that tables and questions are made of: few, so that they meet, extreme, and strange.
var (
	lTexts   = rapid.StringOfN(rapid.RuneFrom([]rune("aAbB50%_\\'\" \u00a0éÉàßÄжЖяЯёЁ日")), 0, 4, -1)
	lNumbers = []string{
		"0", "1", "-1", "2", "10", "9.5", "0.5", "-0.125", "10.50", "1e1", "0.1", "0.30000000000000004", "32767", "2147483647", "-2147483648",
		"9007199254740993", "9223372036854775807", "-9223372036854775808", "18446744073709551615", "1e300", "-1e300", "5e-324", "12345678901234567890.000000000000000001",
	}
	lDays = []query.Date{
		{Year: 2026, Month: 11, Day: 28}, {Year: 2026, Month: 11, Day: 29}, {Year: 2026, Month: 11, Day: 30},
		{Year: 2018, Month: 11, Day: 3}, {Year: 2018, Month: 11, Day: 4}, {Year: 2018, Month: 2, Day: 17}, // clocks of Sao Paulo change
		{Year: 2011, Month: 12, Day: 29}, {Year: 2011, Month: 12, Day: 30}, {Year: 2011, Month: 12, Day: 31}, // Apia has no 30th
		{Year: 0, Month: 1, Day: 1}, {Year: 9999, Month: 12, Day: 31},
	}
	lOwners   = []uuid.UUID{{}, uuid.Max, uuid.NameSpaceDNS, uuid.NameSpaceURL}
	lStatuses = []string{"open", "Open", " open", "done", "", "ждать", "50%"}
)

// lCase is a table, and what is asked of it.
type lCase struct {
	rows      []*Piece
	questions []*lQuestion
}

// GoString prints a case as a list of its rows; what is asked is printed where the answer is wrong.
func (c lCase) GoString() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d questions of", len(c.questions))
	for _, p := range c.rows {
		b.WriteString("\n\t" + lPrint(p))
	}
	return b.String()
}

// lPrint prints a row by what it has.
func lPrint(p *Piece) string {
	text := fmt.Sprintf("%d:", p.ID)
	for _, f := range lFields[1:] {
		if v := f.of(p); v != nil {
			if r, ok := v.(interface{ RatString() string }); ok {
				v = r.RatString()
			}
			if at, ok := v.(time.Time); ok {
				v = at.Format(time.RFC3339Nano)
			}
			text += fmt.Sprintf(" %s=%v", f.name, v)
		}
	}
	if p.Tenant != 0 || p.Deleted != nil {
		text += " unseen"
	}
	return text
}

var lCases = rapid.Custom(func(t *rapid.T) (c lCase) {
	for i := range rapid.IntRange(0, 8).Draw(t, "rows") {
		c.rows = append(c.rows, lRow(t, int64(i+1)))
	}
	c.questions = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) *lQuestion {
		d := lDraw{t, c.rows}
		return d.question()
	}), 8, 24).Draw(t, "questions")
	return c
})

func lRow(t *rapid.T, id int64) *Piece {
	p := &Piece{
		ID:     id,
		Name:   lMaybe(t, lTexts),
		Note:   lTexts.Draw(t, "note"),
		Size:   lMaybe(t, rapid.SampledFrom([]int32{0, 1, -1, 2, 9, 10, 50, math.MaxInt32, math.MinInt32})),
		Big:    rapid.SampledFrom([]int64{0, 1, 10, 9007199254740993, math.MaxInt64, math.MinInt64}).Draw(t, "big"),
		Huge:   rapid.SampledFrom([]uint64{0, 1, math.MaxInt64 + 1, math.MaxUint64}).Draw(t, "huge"),
		Weight: lMaybe(t, rapid.SampledFrom([]float64{0, 0.5, 0.1, 0.1 + 0.2, -1, 1e300, -math.MaxFloat64, math.SmallestNonzeroFloat64})),
		Ratio:  rapid.SampledFrom([]float32{0, 0.1, 0.5, -1, math.MaxFloat32}).Draw(t, "ratio"),
		Price:  lMaybe(t, rapid.SampledFrom([]decimal{"0", "10.5", "10.50", "-0.125", "9", "1e3", "12345678901234567890.000000000000000001"})),
		On:     lMaybe(t, rapid.Bool()),
		Open:   rapid.Bool().Draw(t, "open"),
		Made:   lMaybe(t, rapid.Custom(lInstant)),
		At:     lInstant(t),
		Day:    lMaybe(t, rapid.Map(rapid.SampledFrom(lDays), func(d query.Date) time.Time { begin, _ := d.In(time.UTC); return begin })),
		Owner:  lMaybe(t, rapid.SampledFrom(lOwners)),
		Status: lMaybe(t, rapid.SampledFrom(lStatuses)),
		Grade:  Grade(rapid.IntRange(0, 3).Draw(t, "grade")),
	}
	if maker := rapid.IntRange(0, len(pieceMakers)).Draw(t, "maker"); maker > 0 {
		p.MakerID = &pieceMakers[maker-1].ID
	}
	switch rapid.IntRange(0, 9).Draw(t, "seen") {
	case 8:
		p.Tenant = 1
	case 9:
		p.Deleted = &time.Time{}
	}
	return p
}

func lMaybe[V any](t *rapid.T, of *rapid.Generator[V]) *V {
	if rapid.IntRange(0, 3).Draw(t, "null") == 3 {
		return nil
	}
	return new(of.Draw(t, "value"))
}

// lInstant draws an instant near where a day, or a minute, begins in some zone.
func lInstant(t *rapid.T) time.Time {
	begin, _ := rapid.SampledFrom(lDays).Draw(t, "day").In(time.UTC)
	if begin.Year() == 9999 && rapid.Bool().Draw(t, "last") {
		return begin.Add(24*time.Hour - time.Microsecond)
	}
	at := begin.Add(time.Duration(rapid.SampledFrom([]int{0, 2, 3, 10, 15, 23}).Draw(t, "hour")) * time.Hour)
	return at.Add(rapid.SampledFrom([]time.Duration{
		0, time.Microsecond, time.Millisecond, time.Minute - time.Microsecond, time.Minute, 59*time.Minute + 59999999*time.Microsecond,
	}).Draw(t, "after"))
}

// lDraw draws what is asked of rows.
type lDraw struct {
	t    *rapid.T
	rows []*Piece
}

func (d lDraw) one(n int) bool { return rapid.IntRange(0, n-1).Draw(d.t, "one of") == n-1 }

func pickOf[V any](d lDraw, vs ...V) V { return rapid.SampledFrom(vs).Draw(d.t, "pick") }

// known draws the value that some row has in a field, nil where there is none.
func (d lDraw) known(f *lField) any {
	if len(d.rows) == 0 || rapid.Bool().Draw(d.t, "foreign") {
		return nil
	}
	return f.of(rapid.SampledFrom(d.rows).Draw(d.t, "row"))
}

// text draws a text that may well be in some row, in another case.
func (d lDraw) text(f *lField) string {
	text, ok := d.known(f).(string)
	if !ok {
		return lTexts.Draw(d.t, "text")
	}
	letters := []rune(text)
	from := rapid.IntRange(0, len(letters)).Draw(d.t, "from")
	to := rapid.IntRange(from, len(letters)).Draw(d.t, "to")
	if rapid.Bool().Draw(d.t, "whole") {
		from, to = 0, len(letters)
	}
	return strings.Map(pickOf(d, unicode.ToLower, func(r rune) rune { return r }, lUpper), string(letters[from:to]))
}

// lUpper returns the upper case of a letter where that is of the test's own alphabets.
func lUpper(r rune) rune {
	if r == 'ß' {
		return r
	}
	return unicode.ToUpper(r)
}

func lJSON(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// value draws a value for the field as a client sends it, and what is meant by it: ok is false where it is refused.
func (d lDraw) value(f *lField) (raw string, want any, ok bool) {
	if d.one(60) {
		return pickOf(d, `{"x":1}`, `[[1]]`), nil, false
	}
	switch f.kind {
	case "text":
		text := d.text(f)
		return lJSON(pickOf(d, "", " ", "\t") + text), strings.TrimSpace(text), true
	case "bool":
		b := rapid.Bool().Draw(d.t, "bool")
		return lJSON(b), b, true
	case "time":
		at := d.instant(f)
		sent := at.In(pickOf(d, time.UTC, time.FixedZone("", -3*3600)))
		if sent.Year() < 0 { // which has no such form
			sent = at
		}
		return lJSON(sent.Format(time.RFC3339Nano)), at, true
	case "date":
		day := rapid.SampledFrom(lDays).Draw(d.t, "day")
		begin, _ := day.In(time.UTC)
		elsewhere := begin
		if begin.Year() > 0 {
			elsewhere = begin.In(time.FixedZone("", -3*3600))
		}
		raw := pickOf(d, day.String(), begin.Format("2006-01-02T15:04:05.000Z"), elsewhere.Format(time.RFC3339))
		return lJSON(raw), day, true
	case "uuid":
		owner := rapid.SampledFrom(lOwners).Draw(d.t, "owner")
		return lJSON(pickOf(d, owner.String(), " "+strings.ToUpper(owner.String()))), owner, true
	case "select":
		raw, want, ok = d.option(f)
		if d.one(4) {
			raw = `{"label":"?","value":` + raw + `}`
		}
		return raw, want, ok
	default:
		return d.number(f)
	}
}

func (d lDraw) option(f *lField) (raw string, want any, ok bool) {
	switch f.name {
	case "sizes":
		return d.number(f)
	case "grade":
		word := strings.Repeat("A", rapid.IntRange(0, 3).Draw(d.t, "grade"))
		return lJSON(word), word, true
	default:
		status := rapid.SampledFrom(lStatuses).Draw(d.t, "status")
		return lJSON(status), status, true
	}
}

// number draws a number, as the column has it.
func (d lDraw) number(f *lField) (raw string, want any, ok bool) {
	raw = rapid.SampledFrom(lNumbers).Draw(d.t, "number")
	if r, is := d.known(f).(interface{ FloatString(prec int) string }); is {
		if text := r.FloatString(18); len(text) < 50 {
			raw = text
		}
	}
	want, ok = f.column(raw)
	if f.name == "price" && rapid.Bool().Draw(d.t, "quoted") {
		raw = lJSON(raw)
	}
	return raw, want, ok
}

// instant draws an instant, often one of a row, or of its minute, or right behind it.
func (d lDraw) instant(f *lField) time.Time {
	at, ok := d.known(f).(time.Time)
	if !ok {
		return lInstant(d.t)
	}
	return pickOf(d, at, at.Truncate(time.Minute), at.Truncate(time.Millisecond), at.Add(700*time.Nanosecond))
}

// lQuestion is something that is asked of a list: by clauses, or by a grid's request, and what a row has to be for it.
type lQuestion struct {
	text    string
	zone    string
	clauses []query.Clause
	grid    *query.GridRequest
	refused bool // with a BadRequest
	tests   []func(p *Piece) bool
	levels  []lLevel
	verb    string
	size    int
	page    int
	start   bool // where the rows of a grid are said by the first and the last
	mode    query.Counting
	back    []bool // the first steps of a walk
}

func (q *lQuestion) holds(p *Piece) bool {
	return !q.refused && !slices.ContainsFunc(q.tests, func(test func(p *Piece) bool) bool { return !test(p) })
}

// question draws a filter, an order, and which rows of the answer are wanted.
func (d lDraw) question() *lQuestion {
	q := &lQuestion{zone: rapid.SampledFrom(pieceZones).Draw(d.t, "zone")}
	q.size, q.page = rapid.IntRange(1, 4).Draw(d.t, "size"), rapid.IntRange(0, 5).Draw(d.t, "page")
	q.mode = query.Counting(rapid.IntRange(0, int(query.CountExact)).Draw(d.t, "mode"))
	q.start = rapid.Bool().Draw(d.t, "start")
	verbs := []string{"page", "walk", "find"}
	if rapid.Bool().Draw(d.t, "grid") {
		verbs = []string{"grid", "grid", "page", "walk", "find", "scroll"}
		d.gridModel(q)
	} else {
		d.filters(q)
		d.sorts(q)
	}
	q.verb = rapid.SampledFrom(verbs).Draw(d.t, "verb")
	if q.verb == "walk" {
		q.back = rapid.SliceOfN(rapid.Bool(), 0, 5).Draw(d.t, "steps")
	}
	return q
}

// gridModel draws what a grid asks.
func (d lDraw) gridModel(q *lQuestion) {
	zone, err := time.LoadLocation(q.zone)
	if err != nil {
		panic(err)
	}
	parts := []string{}
	add := func(name, value string) { parts = append(parts, `"`+name+`":`+value) }
	filter := []string{}
	items, tests := []string{}, []func(p *Piece) bool{}
	for range rapid.IntRange(0, 3).Draw(d.t, "items") {
		item, test := d.item(q, zone)
		items = append(items, item)
		if test != nil {
			tests = append(tests, test)
		}
	}
	how := pickOf(d, "", "and", "or")
	if len(items) > 0 {
		filter = append(filter, `"items":[`+strings.Join(items, ",")+"]")
	}
	if how != "" {
		filter = append(filter, `"logicOperator":`+lJSON(how))
	}
	q.tests = append(q.tests, lJoined(how, tests))
	if d.one(3) {
		filter = append(filter, d.quick(q)...)
	}
	if len(filter) > 0 {
		add("filterModel", "{"+strings.Join(filter, ",")+"}")
	}
	if q.levels = d.levels(false); len(q.levels) > 0 {
		add("sortModel", lSortModel(q.levels))
	} else {
		q.levels = []lLevel{{field: lFieldOf("at"), desc: true}} // the list's own
	}
	body := "{" + strings.Join(parts, ",") + "}"
	q.text += body
	q.grid = new(query.GridRequest)
	if err := json.Unmarshal([]byte(body), q.grid); err != nil {
		panic(body + ": " + err.Error())
	}
	q.clauses = append(q.clauses, pieceList.In(zone).Grid(*q.grid))
}

// lJoined joins what items ask; none ask nothing.
func lJoined(how string, tests []func(p *Piece) bool) func(p *Piece) bool {
	return func(p *Piece) bool {
		found := 0
		for _, test := range tests {
			if test(p) {
				found++
			}
		}
		return found == len(tests) || how == "or" && found > 0
	}
}

// item draws what is asked of a field, and returns nil for what asks nothing.
func (d lDraw) item(q *lQuestion, zone *time.Location) (string, func(p *Piece) bool) {
	f := rapid.SampledFrom(lFields).Draw(d.t, "field")
	operator := rapid.SampledFrom(lOperators[f.kind]).Draw(d.t, "operator")
	var raw string
	values := []any{}
	switch {
	case operator == "isEmpty" || operator == "isNotEmpty":
		raw = pickOf(d, "", `null`, `""`)
	case d.one(8):
		return lItem(f, operator, pickOf(d, "", `null`, `""`, `[]`, `"  "`)), nil
	case operator == "isAnyOf":
		raws := []string{}
		for range rapid.IntRange(1, 3).Draw(d.t, "values") {
			one, want, ok := d.value(f)
			q.refused = q.refused || !ok
			raws, values = append(raws, one), append(values, want)
		}
		raw = "[" + strings.Join(raws, ",") + "]"
	default:
		one, want, ok := d.value(f)
		if text, is := want.(string); is && strings.TrimSpace(text) == "" {
			return lItem(f, operator, one), nil // still being typed
		}
		q.refused = q.refused || !ok
		raw, values = one, append(values, want)
	}
	return lItem(f, operator, raw), func(p *Piece) bool { return f.holds(operator, f.of(p), values, zone) }
}

func lItem(f *lField, operator, raw string) string {
	if raw != "" {
		raw = `,"value":` + raw
	}
	return fmt.Sprintf(`{"id":7,"field":%q,"operator":%q%s}`, f.name, operator, raw)
}

// quick draws a quick filter.
func (d lDraw) quick(q *lQuestion) []string {
	searched := slices.DeleteFunc(slices.Clone(lFields), func(f *lField) bool { return !f.searched })
	how := pickOf(d, "and", "or")
	tests, raws := []func(p *Piece) bool{}, []string{}
	for range rapid.IntRange(0, 3).Draw(d.t, "quick values") {
		f := rapid.SampledFrom(searched).Draw(d.t, "searched")
		var raw, text string
		switch f.kind {
		case "number":
			text = rapid.SampledFrom(lNumbers).Draw(d.t, "number")
			raw = pickOf(d, text, lJSON(" "+text))
		case "uuid":
			text = rapid.SampledFrom(lOwners).Draw(d.t, "owner").String()
			raw = lJSON(text)
		default:
			text = d.text(f)
			raw = lJSON(text)
		}
		raws = append(raws, raw)
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		tests = append(tests, func(p *Piece) bool {
			return slices.ContainsFunc(searched, func(f *lField) bool { return f.searches(f.of(p), text) })
		})
	}
	q.tests = append(q.tests, lJoined(how, tests))
	return []string{`"quickFilterValues":[` + strings.Join(raws, ",") + "]", `"quickFilterLogicOperator":` + lJSON(how)}
}

func lFieldOf(name string) *lField {
	return lFields[slices.IndexFunc(lFields, func(f *lField) bool { return f.name == name })]
}

// levels draws an order.
func (d lDraw) levels(nulls bool) (levels []lLevel) {
	for _, f := range rapid.SliceOfNDistinct(rapid.SampledFrom(lFields), 0, 3, func(f *lField) string { return f.name }).Draw(d.t, "order") {
		levels = append(levels, lLevel{f, rapid.Bool().Draw(d.t, "desc"), nulls && rapid.Bool().Draw(d.t, "nulls first")})
	}
	return levels
}

func lSortModel(levels []lLevel) string {
	var parts []string
	for _, l := range levels {
		parts = append(parts, fmt.Sprintf(`{"field":%q,"sort":%q}`, l.field.name, map[bool]string{false: "asc", true: "desc"}[l.desc]))
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// sorts draws an order as a query string has it, or as clauses.
func (d lDraw) sorts(q *lQuestion) {
	typed := rapid.Bool().Draw(d.t, "typed")
	q.levels = d.levels(typed)
	var names []string
	for _, l := range q.levels {
		name := map[bool]string{true: "-"}[l.desc] + l.field.name
		if l.first {
			name += " nulls first"
		}
		names = append(names, name)
	}
	order := strings.Join(names, ",")
	q.text += " sort=" + order
	if !typed {
		q.clauses = append(q.clauses, pieceList.Sort(order))
		if len(q.levels) == 0 {
			q.levels = []lLevel{{field: lFieldOf("at"), desc: true}}
		}
		return
	}
	q.clauses = append(q.clauses, query.Join(&pieces.Maker))
	for _, l := range q.levels {
		s := l.field.by(l.desc)
		if l.first {
			s = s.NullsFirst()
		}
		q.clauses = append(q.clauses, s)
	}
}

// pieceFilter is a filter struct with a field of every form.
type pieceFilter struct {
	query.PageRequest `json:"-"`
	IDs               []int64                   `json:"ids,omitempty" filter:"id"`
	Name              query.StringCriteria      `json:"name,omitzero"`
	Note              query.StringCriteria      `json:"note,omitzero"`
	Size              query.Criteria[int32]     `json:"size,omitzero"`
	Big               query.Criteria[int64]     `json:"big,omitzero"`
	Huge              query.Criteria[uint64]    `json:"huge,omitzero"`
	Weight            query.Criteria[float64]   `json:"weight,omitzero"`
	Price             query.Criteria[decimal]   `json:"price,omitzero"`
	On                query.Criteria[bool]      `json:"on,omitzero" filter:"is_on"`
	Open              *bool                     `json:"open,omitempty"`
	Made              query.DateCriteria        `json:"made,omitzero"`
	Day               query.DateCriteria        `json:"day,omitzero"`
	DayAt             query.DatetimeCriteria    `json:"day_at,omitzero" filter:"day"`
	DayIs             *time.Time                `json:"day_is,omitempty" filter:"day"`
	At                query.DatetimeCriteria    `json:"at,omitzero"`
	Owner             query.Criteria[uuid.UUID] `json:"owner,omitzero"`
	Status            entity.Opt[string]        `json:"status,omitzero"`
	Grade             query.Criteria[Grade]     `json:"grade,omitzero"`
	Search            string                    `json:"search,omitempty" filter:"-"`
}

// Inject adds what follows from no single column.
func (f pieceFilter) Inject() []query.Clause {
	if f.Search == "" {
		return nil
	}
	return []query.Clause{query.Or(query.ContainsFold(&pieces.Name, f.Search), query.HasPrefixFold(&pieces.Note, f.Search))}
}

// filters draws a filter struct.
func (d lDraw) filters(q *lQuestion) {
	var in pieceFilter
	draws := []func(){
		func() {
			in.IDs = rapid.SliceOfN(rapid.Int64Range(0, 9), 0, 4).Draw(d.t, "ids")
			if len(in.IDs) > 0 {
				q.tests = append(q.tests, func(p *Piece) bool { return slices.Contains(in.IDs, p.ID) })
			}
		},
		func() { d.texts(q, "name", &in.Name) },
		func() { d.texts(q, "note", &in.Note) },
		func() { lCriteria(d, q, "size", &in.Size, 0, 1, -1, 2, 9, 10, math.MaxInt32, math.MinInt32) },
		func() { lCriteria(d, q, "big", &in.Big, 0, 1, 10, 9007199254740993, math.MaxInt64, math.MinInt64) },
		func() { lCriteria(d, q, "huge", &in.Huge, 0, 1, math.MaxInt64, math.MaxUint64) },
		func() { lCriteria(d, q, "weight", &in.Weight, 0, 0.5, 0.1, 0.1+0.2, -math.MaxFloat64, 1e300) },
		func() { lCriteria(d, q, "price", &in.Price, "0", "10.500", "-0.125", "9.0", "1000") },
		func() { lCriteria(d, q, "on", &in.On, true, false) },
		func() {
			in.Open = new(rapid.Bool().Draw(d.t, "open"))
			q.tests = append(q.tests, func(p *Piece) bool { return p.Open == *in.Open })
		},
		func() { d.days(q, "madeOn", &in.Made) },
		func() { d.days(q, "day", &in.Day) },
		func() {
			lCriteria(d, q, "at", &in.At, d.instant(lFieldOf("at")), d.instant(lFieldOf("at")))
		},
		func() {
			lCriteria(d, q, "day", &in.DayAt, d.instant(lFieldOf("day")), d.instant(lFieldOf("at")))
		},
		func() {
			in.DayIs = new(d.instant(lFieldOf("day")))
			q.tests = append(q.tests, func(p *Piece) bool { return p.Day != nil && p.Day.Equal(*in.DayIs) })
		},
		func() { lCriteria(d, q, "owner", &in.Owner, lOwners...) },
		func() {
			if d.one(3) {
				in.Status = entity.Null[string]()
				q.tests = append(q.tests, func(p *Piece) bool { return p.Status == nil })
				return
			}
			status := rapid.SampledFrom(lStatuses).Draw(d.t, "status")
			in.Status = entity.Some(status)
			q.tests = append(q.tests, func(p *Piece) bool { return p.Status != nil && *p.Status == status })
		},
		func() { lCriteria(d, q, "grade", &in.Grade, 0, 1, 2, 3) },
		func() {
			in.Search = d.text(lFieldOf("name"))
			q.tests = append(q.tests, func(p *Piece) bool {
				return in.Search == "" || p.Name != nil && strings.Contains(folded(*p.Name), folded(in.Search)) || strings.HasPrefix(folded(p.Note), folded(in.Search))
			})
		},
	}
	chosen := rapid.SliceOfNDistinct(rapid.IntRange(0, len(draws)-1), 0, 3, rapid.ID).Draw(d.t, "filters")
	for _, i := range chosen {
		draws[i]()
	}
	q.text += "filter " + lJSON(in)
	if !in.Made.IsZero() || !in.Day.IsZero() {
		q.text += " in " + q.zone
	}
	q.clauses = append(q.clauses, query.ApplyFilters(in))
}

// lCriteria draws criteria, all of which have to hold.
func lCriteria[V any](d lDraw, q *lQuestion, name string, c *query.Criteria[V], values ...V) {
	f := lFieldOf(name)
	add := func(holds func(have any) bool) {
		q.tests = append(q.tests, func(p *Piece) bool { return holds(f.of(p)) })
	}
	for _, one := range []struct {
		to    **V
		holds func(have, want any) bool
	}{
		{&c.Eq, func(have, want any) bool { return have != nil && lCompare(have, want) == 0 }},
		{&c.Ne, func(have, want any) bool { return have == nil || lCompare(have, want) != 0 }},
		{&c.Gt, func(have, want any) bool { return have != nil && lCompare(have, want) > 0 }},
		{&c.Gte, func(have, want any) bool { return have != nil && lCompare(have, want) >= 0 }},
		{&c.Lt, func(have, want any) bool { return have != nil && lCompare(have, want) < 0 }},
		{&c.Lte, func(have, want any) bool { return have != nil && lCompare(have, want) <= 0 }},
	} {
		if !d.one(4) {
			continue
		}
		v := rapid.SampledFrom(values).Draw(d.t, "value")
		*one.to = &v
		add(func(have any) bool { return one.holds(have, lModeled(v)) })
	}
	if d.one(4) {
		c.In = rapid.SliceOfN(rapid.SampledFrom(values), 0, 3).Draw(d.t, "in")
		add(func(have any) bool {
			return len(c.In) == 0 || have != nil && slices.ContainsFunc(c.In, func(v V) bool { return lCompare(have, lModeled(v)) == 0 })
		})
	}
	c.Null = d.null(add)
}

// null draws whether there is to be a value.
func (d lDraw) null(add func(holds func(have any) bool)) *bool {
	if !d.one(6) {
		return nil
	}
	null := rapid.Bool().Draw(d.t, "null")
	add(func(have any) bool { return (have == nil) == null })
	return &null
}

// lModeled is a value of Go as the model has it.
func lModeled(v any) any {
	switch v := v.(type) {
	case int32, int64, uint64, decimal:
		return rat(v)
	case float64:
		r, _ := floatNumber(64)(fmt.Sprint(v))
		return r
	case Grade:
		return strings.Repeat("A", int(v))
	}
	return v
}

// texts draws criteria of a text, which is not trimmed here.
func (d lDraw) texts(q *lQuestion, name string, c *query.StringCriteria) {
	f := lFieldOf(name)
	add := func(holds func(have any) bool) {
		q.tests = append(q.tests, func(p *Piece) bool { return holds(f.of(p)) })
	}
	c.Value, c.IsExact, c.CaseSensitive = d.text(f), rapid.Bool().Draw(d.t, "exact"), rapid.Bool().Draw(d.t, "case")
	add(func(have any) bool {
		want := c.Value
		if want == "" && !c.IsExact {
			return true
		}
		if have == nil {
			return false
		}
		text := have.(string)
		if !c.CaseSensitive {
			text, want = folded(text), folded(want)
		}
		return text == want || !c.IsExact && strings.Contains(text, want)
	})
	if d.one(4) {
		c.In = []string{d.text(f), d.text(f)}
		add(func(have any) bool { return have != nil && slices.Contains(c.In, have.(string)) })
	}
	c.Null = d.null(add)
}

// days draws criteria of days.
func (d lDraw) days(q *lQuestion, name string, c *query.DateCriteria) {
	f := lFieldOf(name)
	zone, err := time.LoadLocation(q.zone)
	if err != nil {
		panic(err)
	}
	c.Zone = zone
	add := func(holds func(have any) bool) {
		q.tests = append(q.tests, func(p *Piece) bool { return holds(f.of(p)) })
	}
	for _, one := range []struct {
		to    **query.Date
		holds func(place int) bool
	}{
		{&c.Eq, func(place int) bool { return place == 0 }}, {&c.Gt, func(place int) bool { return place > 0 }},
		{&c.Gte, func(place int) bool { return place >= 0 }}, {&c.Lt, func(place int) bool { return place < 0 }},
		{&c.Lte, func(place int) bool { return place <= 0 }},
	} {
		if !d.one(3) {
			continue
		}
		day := rapid.SampledFrom(lDays).Draw(d.t, "day")
		*one.to = &day
		add(func(have any) bool { return have != nil && one.holds(f.place(have, day, zone)) })
	}
	c.Null = d.null(add)
}
