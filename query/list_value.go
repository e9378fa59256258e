package query

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/value"
)

// maxNumber is how many characters a number of a client may have, and maxExponent how many digits it may stand for.
const (
	maxNumber   = 100
	maxExponent = 400
)

// sent is a JSON value of a client, and where in the request it is.
type sent struct {
	at  string
	raw json.RawMessage
}

func (s sent) refused(message string) error { return refused(s.at, message) }

// blank reports whether nothing was given yet: the grid sends items whose value is still being typed.
func (s sent) blank() bool {
	if s.null() {
		return true
	}
	switch raw := bytes.TrimSpace(s.raw); raw[0] {
	case '[':
		inner, closed := bytes.CutSuffix(raw[1:], []byte("]")) // not always: a program may have made the item
		return closed && len(bytes.TrimSpace(inner)) == 0
	case '"':
		var text string
		return json.Unmarshal(raw, &text) == nil && strings.TrimSpace(text) == ""
	}
	return false
}

func (s sent) null() bool {
	raw := bytes.TrimSpace(s.raw)
	return len(raw) == 0 || string(raw) == "null"
}

// list takes an array apart.
func (s sent) list() ([]sent, error) {
	var raws []json.RawMessage
	if json.Unmarshal(s.raw, &raws) != nil {
		return nil, s.refused("must be a list")
	}
	if len(raws) > MaxValues {
		return nil, s.refused("has more than " + strconv.Itoa(MaxValues) + " values")
	}
	all := make([]sent, len(raws))
	for i, raw := range raws {
		all[i] = sent{s.at + "[" + strconv.Itoa(i) + "]", raw}
	}
	return all, nil
}

// option returns what is picked from a select: the value itself, or an object that holds it.
func (s sent) option() (sent, error) {
	if raw := bytes.TrimSpace(s.raw); len(raw) == 0 || raw[0] != '{' {
		return s, nil
	}
	var o struct {
		Value json.RawMessage `json:"value"`
	}
	if json.Unmarshal(s.raw, &o) != nil || o.Value == nil {
		return s, s.refused("must be an option, or an object with its value")
	}
	return sent{s.at, o.Value}, nil
}

// text reads a text, without the spaces around it.
func (s sent) text() (string, error) {
	text, err := s.string()
	return strings.TrimSpace(text), err
}

func (s sent) string() (text string, err error) {
	if !s.begins('"') || json.Unmarshal(s.raw, &text) != nil {
		return "", s.refused("must be a text")
	}
	return text, checkText(s.at, text)
}

// checkText refuses a text that is too long, and one that no database can hold.
func checkText(at, text string) error {
	if wrong := textWrong(text); wrong != "" {
		return refused(at, wrong)
	}
	return nil
}

// textWrong returns what is wrong with a text, "" where nothing is.
func textWrong(text string) string {
	switch {
	case len(text) > MaxText:
		return "is longer than " + strconv.Itoa(MaxText) + " bytes"
	case strings.ContainsRune(text, 0) || !utf8.ValidString(text):
		return "has a character that no text has"
	default:
		return ""
	}
}

// begins reports whether the value begins with a character, which null, of no type at all, does not.
func (s sent) begins(c byte) bool {
	raw := bytes.TrimSpace(s.raw)
	return len(raw) > 0 && raw[0] == c
}

// stored is a value as a column of a field would have it.
type stored struct {
	value.Value
	// above: what was given is between this one and the next that the column can hold.
	above bool
}

// compared asks how a column compares with what was given.
func (v stored) compared(op operator, asks func(op operator, vs ...value.Value) Predicate) Predicate {
	switch {
	case !v.above:
		return asks(op, v.Value)
	case op == opEq:
		return Or()
	case op == opNe:
		return And()
	case op == opGt || op == opGe:
		return asks(opGt, v.Value)
	default:
		return asks(opLe, v.Value)
	}
}

// value reads a value for the field.
func (f *listed) value(s sent) (stored, error) {
	if f.kind == selectKind {
		return f.option(s)
	}
	return f.plain(s)
}

// option reads one value of a select.
func (f *listed) option(s sent) (stored, error) {
	s, err := s.option()
	switch {
	case err != nil:
		return stored{}, err
	case hasForm(f.typ):
		return f.formed(s)
	case f.codec.Type == value.TypeText:
		text, err := s.string()
		return stored{Value: value.OfText(text)}, err
	default:
		return f.plain(s)
	}
}

// formed reads a value whose type says itself what it is in JSON, which is how a client sees it.
func (f *listed) formed(s sent) (stored, error) {
	if len(s.raw) > MaxText {
		return stored{}, s.refused("is longer than " + strconv.Itoa(MaxText) + " bytes")
	}
	p := reflect.New(f.typ)
	if s.null() || json.Unmarshal(s.raw, p.Interface()) != nil {
		return stored{}, s.refused("is not one of its values")
	}
	v, err := f.codec.Encode(p.UnsafePointer())
	if err != nil || v.IsNull() {
		return stored{}, s.refused("is not one of its values")
	}
	switch v.Kind() {
	case value.Text:
		err = checkText(s.at, v.Str())
	case value.Time:
		return f.instant(s, instantOf(v, f.typ, p.UnsafePointer()))
	}
	return stored{Value: v}, err
}

// plain reads a value by what the field is stored as.
func (f *listed) plain(s sent) (stored, error) {
	switch t := f.codec.Type; t {
	case value.TypeText:
		text, err := s.text()
		return stored{Value: value.OfText(text)}, err
	case value.TypeBool:
		var b bool
		if !s.begins('t') && !s.begins('f') || json.Unmarshal(s.raw, &b) != nil {
			return stored{}, s.refused("must be true or false")
		}
		return stored{Value: value.OfBool(b)}, nil
	case value.TypeUUID:
		text, err := s.text()
		if err != nil {
			return stored{}, s.refused("must be a UUID")
		}
		return uuidOf(s.at, text)
	case value.TypeTime:
		t, err := s.time()
		if err != nil {
			return stored{}, err
		}
		return f.instant(s, t)
	default:
		return f.number(s)
	}
}

func uuidOf(at, text string) (stored, error) {
	u, ok := model.ParseUUID(text)
	if !ok {
		return stored{}, refused(at, "must be a UUID")
	}
	return stored{Value: value.OfUUID(u)}, nil
}

// number reads a JSON number. A decimal may be a text too, which is how many programs write them.
func (f *listed) number(s sent) (stored, error) {
	text := string(bytes.TrimSpace(s.raw))
	if f.codec.Type == value.TypeDecimal && s.begins('"') {
		var err error
		if text, err = s.text(); err != nil {
			return stored{}, err
		}
	} else if text == "" || text[0] != '-' && (text[0] < '0' || text[0] > '9') || !json.Valid(s.raw) {
		return stored{}, s.refused("must be a number")
	}
	return f.numberOf(s.at, text)
}

// numberOf reads a number as the field's column holds it.
func (f *listed) numberOf(at, text string) (stored, error) {
	if wrong := numberWrong(text); wrong != "" {
		return stored{}, refused(at, wrong)
	}
	switch t := f.codec.Type; t {
	case value.TypeDecimal:
		return stored{Value: value.OfDecimal(text)}, nil
	case value.TypeFloat32, value.TypeFloat64:
		bits := 64
		if t == value.TypeFloat32 {
			bits = 32
		}
		x, err := strconv.ParseFloat(text, bits)
		if err != nil || math.IsInf(x, 0) {
			return stored{}, refused(at, "is a number out of range")
		}
		return stored{Value: value.OfFloat(x)}, nil
	default:
		return wholeOf(at, text, t)
	}
}

// numberWrong returns what is wrong with the text of a number, "" where nothing is.
func numberWrong(text string) string {
	if len(text) > maxNumber {
		return "is a number of more than " + strconv.Itoa(maxNumber) + " characters"
	}
	if !value.IsDecimal(text) {
		return "must be a number"
	}
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		if e, err := strconv.Atoi(text[i+1:]); err != nil || e > maxExponent || e < -maxExponent {
			return "is a number out of range"
		}
	}
	return ""
}

// wholeBits are the sizes of the types of whole numbers.
var wholeBits = map[value.Type]uint{value.TypeInt16: 15, value.TypeInt32: 31, value.TypeInt64: 63}

// wholeOf reads a number for a column of whole ones: the greatest of them that is not above it.
func wholeOf(at, text string, t value.Type) (stored, error) {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return stored{}, refused(at, "must be a number")
	}
	n := new(big.Int).Div(r.Num(), r.Denom()) // which rounds down, since no denominator is negative
	var v value.Value
	switch bits, signed := wholeBits[t]; {
	case signed && n.IsInt64() && n.Int64()>>bits == n.Int64()>>63:
		v = value.OfInt(n.Int64())
	case !signed && n.IsUint64():
		v = value.OfUint(n.Uint64())
	default:
		return stored{}, refused(at, "is a number out of range")
	}
	return stored{v, !r.IsInt()}, nil
}

// time reads an instant, as JavaScript writes a Date.
func (s sent) time() (time.Time, error) {
	text, err := s.text()
	if err == nil {
		var t time.Time
		if t, err = time.Parse(time.RFC3339, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, s.refused("must be a time like 2026-11-29T12:00:00.000Z")
}

// day reads a day. A client sends its midnight in UTC, whatever zone it is in, and that day is meant: shifting it to
// another zone would make it the one before or after.
func (s sent) day() (Date, error) {
	text, err := s.text()
	if err == nil {
		var d Date
		if d.UnmarshalText([]byte(text)) == nil {
			return d, nil
		}
		var t time.Time
		if t, err = time.Parse(time.RFC3339, text); err == nil {
			return DateOf(t.UTC()), s.storable(t)
		}
	}
	return Date{}, s.refused("must be a day like 2026-11-29, or its midnight in UTC")
}

// instant returns an instant as the field's column keeps it.
func (f *listed) instant(s sent, at time.Time) (stored, error) {
	return kept(at, f.isDay()), s.storable(at)
}

// storable refuses an instant that databases cannot hold.
func (s sent) storable(t time.Time) error {
	if wrong := instantWrong(t); wrong != "" {
		return s.refused(wrong)
	}
	return nil
}

// hasForm reports whether values of a type have a form of their own in JSON.
func hasForm(t reflect.Type) bool {
	if t.Kind() != reflect.Pointer {
		t = reflect.PointerTo(t)
	}
	return t.Implements(jsonIn) || t.Implements(textIn)
}

var (
	jsonIn = reflect.TypeFor[json.Unmarshaler]()
	textIn = reflect.TypeFor[interface{ UnmarshalText(text []byte) error }]()
)
