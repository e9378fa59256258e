package query

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/value"
)

var (
	oldSecret = strings.Repeat("o", MinCursorKey)
	newSecret = strings.Repeat("n", MinCursorKey)
)

func keysOf(t testing.TB, secrets ...string) *CursorKeys {
	t.Helper()
	k, err := NewCursorKeys(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// everyValue has values of every kind, extremes among them.
var everyValue = []value.Value{
	{}, value.OfBool(true), value.OfBool(false), value.OfInt(math.MinInt64), value.OfInt(-1), value.OfInt(math.MaxInt64),
	value.OfUint(0), value.OfUint(math.MaxUint64), value.OfFloat(0.1 + 0.2), value.OfFloat(math.Inf(-1)), value.OfFloat(math.NaN()),
	value.OfFloat(math.SmallestNonzeroFloat64), value.OfText(""), value.OfText("\x00\xff'\u2028"), value.OfBytes([]byte{}),
	value.OfBytes([]byte{0, 0xff}), value.OfMicros(-62167219200000000), value.OfMicros(253402300799999999), value.OfMicros(1),
	value.OfUUID([16]byte{0: 1, 15: 0xff}), value.OfJSON(`{"a":1}`), value.OfDecimal("12345678901234567890.000000000000000001"),
	value.OfDecimal("1.50"),
}

func TestCursorsHoldEveryValueExactly(t *testing.T) {
	t.Parallel()
	k := keysOf(t, newSecret)
	for _, p := range []place{
		{values: everyValue}, {back: true, values: everyValue[:1]}, {with: true, order: 1, filter: math.MaxUint64}, {back: true, with: true},
	} {
		cursor := k.seal(&p)
		got, err := k.open(cursor)
		if err != nil || !samePlace(&got, &p) {
			t.Errorf("%+v, %v, want %+v", got, err, p)
		}
		if again := k.seal(&p); again != cursor {
			t.Errorf("one place has two cursors: %s, %s", again, cursor)
		}
		if strings.ContainsAny(cursor, "+/=&%") {
			t.Errorf("%s does not go into a URL as it is", cursor)
		}
	}
}

func samePlace(a, b *place) bool {
	return a.back == b.back && a.with == b.with && a.order == b.order && a.filter == b.filter && slices.Equal(a.values, b.values)
}

func TestCursorKeysChangeWithoutBreakingCursors(t *testing.T) {
	t.Parallel()
	p := place{order: 1, values: everyValue[:4]}
	before, during, after := keysOf(t, oldSecret), keysOf(t, newSecret, oldSecret), keysOf(t, newSecret)
	for what, c := range map[string]struct {
		sealed, opens *CursorKeys
		want          bool
	}{
		"an old cursor, while both are known":    {before, during, true},
		"a new cursor, while both are known":     {during, during, true},
		"a new cursor, once the old key is gone": {during, after, true},
		"an old cursor, once its key is gone":    {before, after, false},
		"a new cursor, where only the old is":    {during, before, false},
		"a cursor of another process":            {keysOf(t), keysOf(t), false},
	} {
		_, err := c.opens.open(c.sealed.seal(&p))
		if c.want != (err == nil) {
			t.Errorf("%s: %v", what, err)
		}
		if err != nil {
			wantBadCursor(t, err, "is not a cursor of this service")
		}
	}
	if before.Random() || !keysOf(t).Random() {
		t.Error("which key is a random one is not known")
	}
	if _, err := NewCursorKeys(newSecret, "short"); !errors.Is(err, fault.Misconfigured) || strings.Contains(err.Error(), "short\"") || !strings.Contains(err.Error(), "key 2") {
		t.Errorf("a short key: %v", err)
	}
}

func wantBadCursor(t testing.TB, err error, message string) {
	t.Helper()
	fields := fault.FieldsOf(err)
	if !errors.Is(err, fault.BadRequest) || len(fields) != 1 || fields[0].Name != "cursor" || !strings.HasPrefix(fields[0].Message, message) {
		t.Errorf("error %v, want a bad request: cursor %s", err, message)
	}
}

func TestCursorsThatWereTamperedWithAreRefused(t *testing.T) {
	t.Parallel()
	k := keysOf(t, newSecret)
	cursor := k.seal(&place{order: 1, filter: 2, values: everyValue})
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=! "
	for i := range cursor {
		for _, c := range []byte{cursor[i] ^ 1, cursor[i] ^ 0x80, alphabet[i%len(alphabet)]} {
			if c == cursor[i] {
				continue
			}
			if _, err := k.open(cursor[:i] + string(c) + cursor[i+1:]); err == nil {
				t.Errorf("with another byte at %d it is opened", i)
			}
		}
		if _, err := k.open(cursor[:i]); err == nil {
			t.Errorf("cut at %d it is opened", i)
		}
	}
	_, err := k.open("Ag" + cursor[2:])
	wantBadCursor(t, err, "is of version 2")
}

func TestCursorRequestsOutOfBoundsAreBadRequests(t *testing.T) {
	t.Parallel()
	_, err := CursorRequest{Cursor: strings.Repeat("a", MaxCursor+1)}.Normalize()
	wantBadCursor(t, err, "is longer than 4096")
	for _, size := range []int{-1, MaxPageSize + 1} {
		_, err := CursorRequest{PageSize: size}.Normalize()
		if fields := fault.FieldsOf(err); !errors.Is(err, fault.BadRequest) || len(fields) != 1 || fields[0].Name != "page_size" {
			t.Errorf("%d on a page: %v", size, err)
		}
	}
	if r, err := (CursorRequest{}).Normalize(); err != nil || r.PageSize != DefaultPageSize {
		t.Errorf("the default is %d, %v", r.PageSize, err)
	}
}

// Whatever is sent as a cursor, it is opened or a bad request that names it; and whatever is sealed in one, it is a place or
// it is not, and a place is one that can be sealed again.
func FuzzCursor(f *testing.F) {
	k, other := keysOf(f, newSecret), keysOf(f, oldSecret)
	p := place{back: true, order: 1, filter: 2, values: everyValue}
	for _, seed := range []string{"", "AQ", k.seal(&p), other.seal(&p), string(p.encode(nil)), string(p.encode(nil)[:40])} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := k.open(s); err != nil {
			fields := fault.FieldsOf(err)
			if !errors.Is(err, fault.BadRequest) || len(fields) != 1 || fields[0].Name != "cursor" {
				t.Errorf("error %v", err)
			}
		}
		p, ok := decodePlace([]byte(s))
		if !ok {
			return
		}
		again, err := k.open(k.seal(&p))
		if err != nil || !samePlace(&p, &again) {
			t.Errorf("%+v was sealed, and %+v opened: %v", p, again, err)
		}
	})
}
