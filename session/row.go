package session

import (
	"unsafe"

	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/value"
)

// row is one row of an entity's table in little memory, since a session keeps one for each of its objects: numbers,
// times and UUIDs apart from what points somewhere, which alone the garbage collector looks at. It gives back exactly
// the values that were put in. The zero row is none.
type row struct {
	*layout
	words *uint64 // layout.words of them
	texts *string // layout.texts of them
}

// layout says where the columns of a table are in a row. In front of the words are the kinds, four bits for each column.
type layout struct {
	places       []place
	words, texts int
	wide         *layout // for rows with a value that is not of its column's type: each place holds every value
}

// place is where a column's value is: its form, its first word and its text.
type place struct {
	form       form
	word, text uint16
}

// form says what a place holds.
type form uint8

const (
	oneWord  form = iota // numbers, times, booleans
	twoWords             // UUIDs
	oneText              // texts, byte strings, JSON, decimals
	anything
)

// layoutOf returns the layout of the rows of fields.
func layoutOf(fields []*model.Field) *layout {
	l, wide := newLayout(len(fields)), newLayout(len(fields))
	for i, f := range fields {
		l.place(i, formOf(f.Type))
		wide.place(i, anything)
	}
	l.wide = wide
	return l
}

func newLayout(columns int) *layout {
	return &layout{places: make([]place, columns), words: (columns + kindsPerWord - 1) / kindsPerWord}
}

func (l *layout) place(i int, f form) {
	l.places[i] = place{form: f, word: uint16(l.words), text: uint16(l.texts)}
	switch f {
	case oneWord:
		l.words++
	case twoWords:
		l.words += 2
	case oneText:
		l.texts++
	case anything:
		l.words += 2
		l.texts++
	}
}

func formOf(t value.Type) form {
	switch t {
	case value.TypeUnknown:
		return anything
	case value.TypeUUID:
		return twoWords
	case value.TypeText, value.TypeBytes, value.TypeJSON, value.TypeDecimal:
		return oneText
	default:
		return oneWord
	}
}

const (
	bitsPerKind  = 4
	kindsPerWord = 64 / bitsPerKind
	kindMask     = 1<<bitsPerKind - 1
)

// kindPlace returns where the kind of a column is.
func kindPlace(i int) (word, shift uint) {
	return uint(i) / kindsPerWord, uint(i) % kindsPerWord * bitsPerKind
}

// isNone reports whether there is no row.
func (r row) isNone() bool { return r.layout == nil }

func (r row) allWords() []uint64 { return unsafe.Slice(r.words, r.layout.words) }
func (r row) allTexts() []string { return unsafe.Slice(r.texts, r.layout.texts) }

// at returns the value of a column.
func (r row) at(i int) value.Value { return value.OfParts(r.parts(i)) }

// parts returns the value of a column, taken apart.
func (r row) parts(i int) (kind value.Kind, hi, lo uint64, text string) {
	words, p := r.allWords(), &r.places[i]
	word, shift := kindPlace(i)
	kind = value.Kind(words[word] >> shift & kindMask)
	switch p.form {
	case oneWord:
		return kind, words[p.word], 0, ""
	case twoWords:
		return kind, words[p.word], words[p.word+1], ""
	case oneText:
		return kind, 0, 0, r.allTexts()[p.text]
	default:
		return kind, words[p.word], words[p.word+1], r.allTexts()[p.text]
	}
}

// set puts a value into a column. The row becomes another one where it does not fit.
func (r *row) set(i int, v value.Value) {
	if r.put(i, &v) {
		return
	}
	wide := (&rows{}).take(r.wide)
	for j := range r.places {
		old := r.at(j)
		wide.put(j, &old)
	}
	wide.put(i, &v)
	*r = wide
}

// put is set, where the value fits. It reports whether it does.
func (r *row) put(i int, v *value.Value) bool { return r.layout.put(r.allWords(), r.allTexts(), i, v) }

func (l *layout) put(words []uint64, texts []string, i int, v *value.Value) bool {
	kind, hi, lo, text := value.Parts(v)
	switch p := &l.places[i]; {
	case p.form == oneWord && lo == 0 && text == "":
		words[p.word] = hi
	case p.form == twoWords && text == "":
		words[p.word], words[p.word+1] = hi, lo
	case p.form == oneText && hi|lo == 0:
		texts[p.text] = text
	case p.form == anything:
		words[p.word], words[p.word+1] = hi, lo
		texts[p.text] = text
	default:
		return false
	}
	word, shift := kindPlace(i)
	words[word] = words[word]&^(kindMask<<shift) | uint64(kind)<<shift
	return true
}

// is reports whether the row has these values.
func (r row) is(cells []value.Value) bool {
	for i, v := range cells {
		if r.at(i) != v {
			return false
		}
	}
	return true
}

// rows makes rows.
type rows struct {
	words pieces[uint64]
	texts pieces[string]
}

// take returns a row of NULLs.
func (s *rows) take(l *layout) row {
	return row{l, unsafe.SliceData(s.words.take(l.words)), unsafe.SliceData(s.texts.take(l.texts))}
}

// of returns a row with the values of a layout's columns.
func (s *rows) of(l *layout, cells []value.Value) row {
	r := s.take(l)
	words, texts := r.allWords(), r.allTexts()
	for i := range cells {
		if !l.put(words, texts, i, &cells[i]) {
			return s.of(l.wide, cells)
		}
	}
	return r
}

// copied returns another row with the same values.
func (s *rows) copied(r row) row {
	c := s.take(r.layout)
	copy(c.allWords(), r.allWords())
	copy(c.allTexts(), r.allTexts())
	return c
}
