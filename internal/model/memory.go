package model

import (
	"encoding/binary"
	"time"
	"unsafe"

	"github.com/urutu-go/urutu/value"
)

// Memory says what a variable is whose bits are what is stored: it is filled, and compared with what was stored, without
// a detour through its codec. Most variables are one of these.
type Memory uint8

const (
	// Opaque is what only the codec can read.
	Opaque Memory = iota
	// Int64 is an integer of eight bytes, stored as a value.Int.
	Int64
	// String is a string, stored as a value.Text.
	String
	// UUID is sixteen bytes, stored as a value.UUID.
	UUID
	// Time is a time.Time, stored as a value.Time.
	Time
	// Bool is a bool, stored as a value.Bool.
	Bool
	// Float64 is a float64, stored as a value.Float.
	Float64
)

// pointed is the memory behind a pointer, which is nil where NULL is stored.
const pointed Memory = 1 << 7

// memoryKinds are the kinds of value that each is stored as.
var memoryKinds = [...]value.Kind{
	Opaque: value.Null, Int64: value.Int, String: value.Text, UUID: value.UUID, Time: value.Time, Bool: value.Bool, Float64: value.Float,
}

// holds reports whether the variable at p has a value with these parts. What it denies may be the same all the same:
// the codec knows.
func (m Memory) holds(p unsafe.Pointer, kind value.Kind, hi, lo uint64, text string) bool {
	if m&pointed != 0 {
		if p = *(*unsafe.Pointer)(p); p == nil {
			return kind == value.Null
		}
		m &^= pointed
	}
	if kind != memoryKinds[m] {
		return false
	}
	switch m {
	case Int64, Float64:
		return *(*uint64)(p) == hi
	case String:
		return *(*string)(p) == text
	case UUID:
		u := (*[16]byte)(p)
		return binary.BigEndian.Uint64(u[:8]) == hi && binary.BigEndian.Uint64(u[8:]) == lo
	case Time:
		return uint64((*time.Time)(p).UnixMicro()) == hi
	case Bool:
		return *(*bool)(p) == (hi != 0)
	default:
		return false
	}
}

// Holds reports whether the field of the struct at base surely has the value with these parts (see value.Parts). Where
// it does not, Same knows.
func (f *Field) Holds(base unsafe.Pointer, kind value.Kind, hi, lo uint64, text string) bool {
	return f.Memory.holds(f.At(base), kind, hi, lo, text)
}

// Fill is Set, quicker where the field's memory is its value.
func (f *Field) Fill(base unsafe.Pointer, v *value.Value) error {
	kind, hi, lo, text := value.Parts(v)
	if f.Memory == Opaque || f.Memory&pointed != 0 || kind != memoryKinds[f.Memory] {
		return f.Set(base, *v)
	}
	switch p := f.At(base); f.Memory {
	case Int64, Float64:
		*(*uint64)(p) = hi
	case String:
		*(*string)(p) = text
	case UUID:
		u := (*[16]byte)(p)
		binary.BigEndian.PutUint64(u[:8], hi)
		binary.BigEndian.PutUint64(u[8:], lo)
	case Time:
		*(*time.Time)(p) = time.UnixMicro(int64(hi)).UTC()
	case Bool:
		*(*bool)(p) = hi != 0
	}
	return nil
}
