package session_test

import (
	"context"
	"errors"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// KeyOf is an entity's key of any type, and something to change.
type KeyOf[K any] struct {
	Key  K `db:"key,pk"`
	Name string
}

func (k *KeyOf[K]) keyed() *KeyOf[K] { return k }

// keyedBy is an entity of type E with a key of type K.
type keyedBy[E, K any] interface {
	*E
	keyed() *KeyOf[K]
}

// What can be a key.
type (
	KeyBool     struct{ KeyOf[bool] }
	KeyInt      struct{ KeyOf[int] }
	KeyInt8     struct{ KeyOf[int8] }
	KeyInt16    struct{ KeyOf[int16] }
	KeyInt32    struct{ KeyOf[int32] }
	KeyInt64    struct{ KeyOf[int64] }
	KeyUint     struct{ KeyOf[uint] }
	KeyUint8    struct{ KeyOf[uint8] }
	KeyUint16   struct{ KeyOf[uint16] }
	KeyUint32   struct{ KeyOf[uint32] }
	KeyUint64   struct{ KeyOf[uint64] }
	KeyUintptr  struct{ KeyOf[uintptr] }
	KeyText     struct{ KeyOf[string] }
	KeyColor    struct{ KeyOf[color] }
	KeyLevel    struct{ KeyOf[level] }
	KeyHuge     struct{ KeyOf[huge] }
	KeyTime     struct{ KeyOf[time.Time] }
	KeyDuration struct{ KeyOf[time.Duration] }
	KeyUUID     struct{ KeyOf[uuid.UUID] }
	KeyArray    struct{ KeyOf[[16]byte] }
	KeyHash     struct{ KeyOf[[20]byte] }
	KeyAddr     struct{ KeyOf[netip.Addr] }
	KeyPoint    struct{ KeyOf[point] }
)

// What cannot.
type (
	KeyFloat   struct{ KeyOf[float64] }
	KeyPointer struct{ KeyOf[*int] }
	KeyBytes   struct{ KeyOf[[]byte] }
	KeyJSON    struct{ KeyOf[map[string]int] }
	KeyDecimal struct {
		Key decimal `db:"key,pk,type=numeric"`
	}
)

// TestStorageKeys: rows are added, found, changed and deleted by a key of every type that identifies one.
func TestStorageKeys(t *testing.T) {
	onAll(t, func(t *testing.T, b backend) {
		f := open(t, b)
		now := time.Date(2026, 11, 22, 1, 2, 3, 456789000, time.UTC)
		keys[KeyBool](t, f, false, true)
		keys[KeyInt](t, f, math.MinInt, 0, math.MaxInt)
		keys[KeyInt8](t, f, math.MinInt8, 0, int8(math.MaxInt8))
		keys[KeyInt16](t, f, math.MinInt16, 0, int16(math.MaxInt16))
		keys[KeyInt32](t, f, math.MinInt32, 0, int32(math.MaxInt32))
		keys[KeyInt64](t, f, math.MinInt64, 0, int64(math.MaxInt64))
		keys[KeyUint](t, f, 0, uint(math.MaxUint))
		keys[KeyUint8](t, f, 0, uint8(math.MaxUint8))
		keys[KeyUint16](t, f, 0, uint16(math.MaxUint16))
		keys[KeyUint32](t, f, 0, uint32(math.MaxUint32))
		keys[KeyUint64](t, f, 0, math.MaxInt64, math.MaxInt64+1, uint64(math.MaxUint64))
		keys[KeyUintptr](t, f, 0, uintptr(math.MaxUint))
		keys[KeyText](t, f, "", "a", "A", "it's \"ü\"")
		keys[KeyColor](t, f, "", color("red"))
		keys[KeyLevel](t, f, -1, level(1))
		keys[KeyHuge](t, f, 0, huge(math.MaxUint64))
		keys[KeyTime](t, f, time.Time{}, now, now.Add(time.Microsecond))
		keys[KeyDuration](t, f, math.MinInt64, time.Nanosecond)
		keys[KeyUUID](t, f, uuid.New(), uuid.Max)
		keys[KeyArray](t, f, [16]byte{1}, [16]byte(uuid.Max))
		keys[KeyHash](t, f, [20]byte{}, [20]byte{19: 1})
		keys[KeyAddr](t, f, netip.Addr{}, netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1"))
		keys[KeyPoint](t, f, point{}, point{-1, 1})
	})
}

// keys stores objects with the keys and finds each by its own.
func keys[E any, K any, P keyedBy[E, K]](t *testing.T, f *fixture, list ...K) {
	t.Helper()
	columns := P(entity.Columns[E]()).keyed()
	var asked []any
	f.do(t, func(ctx context.Context) error {
		err := session.CreateTables(ctx, (*E)(nil))
		for _, k := range list {
			obj := P(new(E))
			obj.keyed().Key = k
			err = errors.Join(err, session.Add(ctx, (*E)(obj)))
			asked = append(asked, k)
		}
		return err
	})
	f.do(t, func(ctx context.Context) error {
		for _, k := range list {
			obj, err := session.Get[E](ctx, k)
			if err != nil {
				return err
			}
			if any(P(obj).keyed().Key) != any(k) {
				t.Errorf("the key %v came back as %v", k, P(obj).keyed().Key)
			}
			P(obj).keyed().Name = "changed"
		}
		found, missing, err := session.GetMany[E](ctx, asked...)
		if len(found) != len(list) || len(missing) > 0 {
			t.Errorf("%T: found %d, missing %v", list[0], len(found), missing)
		}
		return err
	})
	f.do(t, func(ctx context.Context) error {
		found, err := session.Find[E](ctx, query.Eq(&columns.Name, "changed"), query.In(&columns.Key, list...))
		if err != nil || len(found) != len(list) {
			t.Errorf("%T: %d of %d were changed: %v", list[0], len(found), len(list), err)
		}
		obj, err := session.Get[E](ctx, list[0])
		if err != nil {
			return err
		}
		return session.Delete(ctx, obj)
	})
	if n := count[E](t, f); n != int64(len(list)-1) {
		t.Errorf("%T: %d rows are left", list[0], n)
	}
}

// TestStorageNoKeys: what cannot identify a row is an error of the mapping that names the field.
func TestStorageNoKeys(t *testing.T) {
	t.Parallel()
	for what, err := range map[string]error{
		"float": entity.Check[KeyFloat](), "pointer": entity.Check[KeyPointer](), "bytes": entity.Check[KeyBytes](),
		"JSON": entity.Check[KeyJSON](), "decimal": entity.Check[KeyDecimal](),
	} {
		if !errors.Is(err, fault.Misconfigured) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
