package session

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
)

// Entities with a key of each sort.
type (
	byUUID struct {
		ID uuid.UUID `db:"id,pk"`
	}
	byInt8 struct {
		ID int8 `db:"id,pk"`
	}
	byInt64 struct {
		ID int64 `db:"id,pk"`
	}
	byUint64 struct {
		ID uint64 `db:"id,pk"`
	}
	byText struct {
		ID string `db:"id,pk"`
	}
	byTime struct {
		At time.Time `db:"at,pk"`
	}
	byPair struct {
		A string `db:"a,pk"`
		B string `db:"b,pk"`
	}
)

func metaFor[T any](t testing.TB) *meta {
	t.Helper()
	m, err := model.For[T]()
	if err != nil {
		t.Fatal(err)
	}
	return newMeta(m, nil, dialect.SQLite())
}

// identityOf returns the identity that key means, or false where it is refused as a caller's mistake.
func identityOf(t testing.TB, x *meta, key any) (identity, bool) {
	t.Helper()
	values, err := x.keyOf("test", key)
	if err != nil {
		if !errors.Is(err, fault.BadRequest) {
			t.Errorf("%T: error %v", key, err)
		}
		return identity{}, false
	}
	return identify(x.Model, values), true
}

// sameKey fails the test unless key means the same as own, or is refused where it can mean nothing.
func sameKey(t *testing.T, x *meta, key, own any, valid bool) {
	t.Helper()
	got, ok := identityOf(t, x, key)
	if ok != valid {
		t.Errorf("%s by %T %v: taken: %t, want %t", x.Name, key, key, ok, valid)
		return
	}
	if !valid {
		return
	}
	if want, _ := identityOf(t, x, own); got != want {
		t.Errorf("%s by %T %v is %v, want %v as by %v", x.Name, key, key, got, want, own)
	}
}

// FuzzKeyOf: every form of a key addresses the entry of the key's own type, or is refused.
func FuzzKeyOf(f *testing.F) {
	f.Add(int64(0), uint64(0), "", []byte(nil))
	f.Add(int64(-1), uint64(math.MaxUint64), "6ba7b810-9dad-11d1-80b4-00c04fd430c8", make([]byte, 16))
	f.Add(int64(math.MinInt64), uint64(math.MaxInt64), "6BA7B8109DAD11D180B400C04FD430C8", []byte("0123456789abcdef"))
	f.Add(int64(127), uint64(128), "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}", []byte("short"))
	f.Add(int64(128), uint64(1)<<63, "\xff\x00", []byte("\xff"))
	f.Fuzz(func(t *testing.T, i int64, u uint64, s string, b []byte) {
		x := metaFor[byInt64](t)
		sameKey(t, x, int32(i), int64(int32(i)), true)
		sameKey(t, x, u, int64(u), u <= math.MaxInt64)
		sameKey(t, x, &i, i, true)
		sameKey(t, x, s, nil, false)
		sameKey(t, metaFor[byInt8](t), i, int8(i), i == int64(int8(i)))
		sameKey(t, metaFor[byInt8](t), u, int8(u), u <= math.MaxInt8)
		x = metaFor[byUint64](t)
		sameKey(t, x, i, uint64(i), i >= 0)
		sameKey(t, x, uint32(u), uint64(uint32(u)), true)

		x = metaFor[byUUID](t)
		parsed, err := uuid.Parse(s)
		sameKey(t, x, s, parsed, err == nil)
		raw, err := uuid.FromBytes(b)
		sameKey(t, x, b, raw, err == nil)
		sameKey(t, x, [16]byte(raw), raw, true)
		sameKey(t, x, &raw, raw, true)
		sameKey(t, x, i, nil, false)

		type named string
		x = metaFor[byText](t)
		_, ok := identityOf(t, x, s)
		sameKey(t, x, named(s), s, ok)
		sameKey(t, x, &s, s, ok)
		sameKey(t, x, Key{s}, s, ok)
		sameKey(t, x, Key{s, s}, nil, false)
		sameKey(t, x, b, nil, false)
	})
}

// FuzzIdentity: keys of several columns have one identity exactly where each column is equal.
func FuzzIdentity(f *testing.F) {
	f.Add("a", "bc", "ab", "c")
	f.Add("", "a", "a", "")
	f.Add("a", "b", "a", "b")
	between := strings.Repeat("\x00", 16) // what lies between two columns
	f.Add("a"+between+"b", "c", "a", "b"+between+"c")
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		x := metaFor[byPair](t)
		first, ok := identityOf(t, x, Key{a, b})
		other, alsoOK := identityOf(t, x, Key{c, d})
		if ok && alsoOK && (first == other) != (a == c && b == d) {
			t.Errorf("(%q, %q) and (%q, %q): same identity: %t", a, b, c, d, first == other)
		}
	})
}

func TestIdentityOfTime(t *testing.T) {
	t.Parallel()
	x := metaFor[byTime](t)
	at := time.Date(2026, 3, 29, 1, 30, 0, 123456000, time.UTC)
	sameKey(t, x, at.In(time.FixedZone("x", 3600)), at, true)
	sameKey(t, x, at.Add(999*time.Nanosecond), at, true) // stored in microseconds
	one, _ := identityOf(t, x, at)
	if next, _ := identityOf(t, x, at.Add(time.Microsecond)); one == next {
		t.Error("two instants have one identity")
	}
}

func TestIDsGrowWhateverTheClockDoes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 123_456_789, time.UTC)
	var ids idSource
	first := ids.next(now, [8]byte{0xff})
	if ms := int64(binary.BigEndian.Uint64(append([]byte{0, 0}, first[:6]...))); ms != now.UnixMilli() {
		t.Errorf("made at %d, want %d", ms, now.UnixMilli())
	}
	if u := uuid.UUID(first); u.Version() != 7 || u.Variant() != uuid.RFC4122 {
		t.Errorf("%s is of version %d, variant %s", u, u.Version(), u.Variant())
	}
	last := first
	clock := []time.Duration{0, 0, time.Nanosecond, time.Millisecond, -time.Hour, -50 * 365 * 24 * time.Hour, -200 * 365 * 24 * time.Hour}
	for range 5000 { // more than a millisecond has room for
		for _, d := range clock {
			next := ids.next(now.Add(d), [8]byte{})
			if bytes.Compare(next[:], last[:]) <= 0 {
				t.Fatalf("%s follows %s", uuid.UUID(next), uuid.UUID(last))
			}
			last = next
		}
	}
}

func TestIDsAreUniqueAmongGoroutines(t *testing.T) {
	t.Parallel()
	const goroutines, each = 8, 2000
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var ids idSource
	var all sync.Map
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			mine := make([][16]byte, each)
			for i := range mine {
				mine[i] = ids.next(now, [8]byte{})
				if _, taken := all.LoadOrStore(mine[i], true); taken {
					t.Errorf("%s twice", uuid.UUID(mine[i]))
				}
			}
			if !slices.IsSortedFunc(mine, func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) }) {
				t.Error("they do not grow")
			}
		})
	}
	wg.Wait()
}
