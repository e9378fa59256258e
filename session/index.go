package session

import (
	"hash/maphash"
	mathbits "math/bits"
	"math/rand/v2"
	"unsafe"
)

// index finds entries by what they are named. It is a hash table that holds nothing but the entries: with two maps a
// session that reads many rows spends as much memory on finding its objects as on the objects. The zero index is empty.
type index[K comparable, N naming[K]] struct {
	slots []*entry // a power of two; an entry is in the first free one from that of its hash on
	n     int
}

// naming says what an index finds entries by. While an entry is in the index, that does not change.
type naming[K comparable] interface {
	name(e *entry) K
	hash(k K) uint64
}

// byID finds entries by their identity.
type byID = index[identity, identityName]

// byPtr finds entries by their object's address. Objects that were read and changed are never looked for by it, so that
// entries are entered when the first one is.
type byPtr struct {
	entered index[unsafe.Pointer, addressName]
	late    []*entry
}

func (x *byPtr) put(e *entry) { x.late = append(x.late, e) }

func (x *byPtr) get(p unsafe.Pointer) *entry {
	x.enter()
	return x.entered.get(p)
}

func (x *byPtr) remove(e *entry) {
	x.enter()
	x.entered.remove(e)
}

func (x *byPtr) enter() {
	for _, e := range x.late {
		x.entered.put(e)
	}
	clear(x.late)
	x.late = x.late[:0]
}

// get returns the entry of a name, or nil.
func (x *index[K, N]) get(k K) *entry {
	if x.n == 0 {
		return nil
	}
	return x.slots[x.slot(k)]
}

// slot returns the slot that has the entry of a name, or the free one where it would be.
func (x *index[K, N]) slot(k K) int {
	var by N
	mask := len(x.slots) - 1
	i := int(by.hash(k)) & mask
	for x.slots[i] != nil && by.name(x.slots[i]) != k {
		i = (i + 1) & mask
	}
	return i
}

// put enters an entry, in place of another one of its name.
func (x *index[K, N]) put(e *entry) {
	if 4*x.n >= 3*len(x.slots) {
		x.grow(4 * len(x.slots))
	}
	var by N
	i := x.slot(by.name(e))
	if x.slots[i] == nil {
		x.n++
	}
	x.slots[i] = e
}

func (x *index[K, N]) grow(slots int) {
	var by N
	old := x.slots
	x.slots = make([]*entry, max(8, slots))
	for _, e := range old {
		if e != nil {
			x.slots[x.slot(by.name(e))] = e
		}
	}
}

// remove takes an entry out, if it is the one that its name finds.
func (x *index[K, N]) remove(e *entry) {
	if x.n == 0 {
		return
	}
	var by N
	i := x.slot(by.name(e))
	if x.slots[i] != e {
		return
	}
	x.slots[i] = nil
	x.n--
	// What had to go to a later slot may not be found any more behind a free one: it is entered again.
	mask := len(x.slots) - 1
	for i = (i + 1) & mask; x.slots[i] != nil; i = (i + 1) & mask {
		moved := x.slots[i]
		x.slots[i] = nil
		x.slots[x.slot(by.name(moved))] = moved
	}
}

// What hashes start from, so that nobody who chooses keys can choose their slots.
var (
	seed = maphash.MakeSeed()
	salt = [2]uint64{rand.Uint64(), rand.Uint64()}
)

type identityName struct{}

func (identityName) name(e *entry) identity { return e.id }

func (identityName) hash(id identity) uint64 {
	h := uint64(uintptr(unsafe.Pointer(id.m)))
	if id.str != "" {
		h ^= maphash.String(seed, id.str)
	}
	high, low := mathbits.Mul64(id.hi^salt[0], id.lo^h^salt[1])
	return high ^ low
}

type addressName struct{}

func (addressName) name(e *entry) unsafe.Pointer { return e.base }

func (addressName) hash(p unsafe.Pointer) uint64 {
	high, low := mathbits.Mul64(uint64(uintptr(p)), salt[0]|1)
	return high ^ low
}
