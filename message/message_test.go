package message_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/message"
)

func TestType(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 200)
	for name, c := range map[string]struct {
		typ  message.Type
		want string // a part of the error; "" for none
	}{
		"a topic":                {message.Type{Topic: "shop.order.placed"}, ""},
		"one letter":             {message.Type{Topic: "x"}, ""},
		"everything there is":    {message.Type{Topic: "a-b_c.0", Kind: message.Task, Version: 7, Required: true}, ""},
		"as long as it may be":   {message.Type{Topic: long}, ""},
		"too long":               {message.Type{Topic: long + "x"}, "not 201"},
		"nothing":                {message.Type{}, "not 0"},
		"a capital":              {message.Type{Topic: "Order"}, "byte 0"},
		"a space":                {message.Type{Topic: "an order"}, "byte 2"},
		"a dot in front":         {message.Type{Topic: ".x"}, "byte 0"},
		"a dash at the end":      {message.Type{Topic: "x-"}, "byte 1"},
		"nothing but a dot":      {message.Type{Topic: "."}, "byte 0"},
		"letters of others":      {message.Type{Topic: "größe"}, "byte 2"},
		"NUL":                    {message.Type{Topic: "a\x00b"}, "byte 1"},
		"a wildcard of a broker": {message.Type{Topic: "orders.*"}, "byte 7"},
		"a negative version":     {message.Type{Topic: "x", Version: -1}, "version"},
		"an unknown kind":        {message.Type{Topic: "x", Kind: 2}, "kind"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantInvalid(t, c.typ.Validate(), c.want)
			if c.typ.Version == 0 && c.typ.Kind <= message.Task {
				wantInvalid(t, message.ValidateGroup(c.typ.Topic), c.want)
			}
		})
	}
	if err := message.ValidateGroup("Mail"); err == nil || !strings.Contains(err.Error(), "group") {
		t.Errorf("the error does not say that it is a group: %v", err)
	}
}

// wantInvalid checks that an error is fault.Invalid and says what it is about, or that there is none.
func wantInvalid(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("it is refused: %v", err)
	case want != "" && (!errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want)):
		t.Errorf("got the error %v, want one of kind %q with %q", err, fault.Invalid, want)
	}
}

func TestKindPrints(t *testing.T) {
	t.Parallel()
	if got := fmt.Sprint(message.Event, " ", message.Task); got != "event task" {
		t.Error(got)
	}
}

func TestCheckKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ key, want string }{
		"none":                 {"", ""},
		"any text":             {"Müller & Söhne / 7 \t", ""},
		"as long as it may be": {strings.Repeat("x", message.MaxKey), ""},
		"too long":             {strings.Repeat("x", message.MaxKey+1), "not 513"},
		"too many bytes":       {strings.Repeat("ü", message.MaxKey/2+1), "not 514"},
		"no text":              {"a\xff", "text"},
		"half of a letter":     {"ü"[:1], "text"},
		"NUL":                  {"a\x00", "NUL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantInvalid(t, message.CheckKey(c.key), c.want)
		})
	}
}

// TestSlotsStay: the slot of a key is the same for ever, since messages are stored under it.
func TestSlotsStay(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]int{"": 961, "a": 192, "order-7": 164, "01890000-0000-7000-8000-000000000001": 156, "Müller": 95} {
		if got := message.Slot(key); got != want {
			t.Errorf("%q has the slot %d, and had %d", key, got, want)
		}
	}
}

// TestSlotsAreEven: keys that differ by a number are spread over all slots, and over the lanes that are made of them.
func TestSlotsAreEven(t *testing.T) {
	t.Parallel()
	const keys, lanes = 100_000, 16
	var slots [message.Slots]int
	var perLane [lanes]int
	for i := range keys {
		s := message.Slot(fmt.Sprint("order-", i))
		slots[s]++
		perLane[s*lanes/message.Slots]++
	}
	for s, n := range slots {
		if mean := keys / message.Slots; n < mean/2 || n > 2*mean {
			t.Errorf("slot %d has %d keys, %d are the mean", s, n, mean)
		}
	}
	for l, n := range perLane {
		if mean := keys / lanes; n < mean*9/10 || n > mean*11/10 {
			t.Errorf("lane %d has %d keys, %d are the mean", l, n, mean)
		}
	}
}

// FuzzNames: what is accepted has the form that the documentation says, so that every broker and database takes it.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"", ".", "a", "shop.order.placed", "a..b", "-a", "a\x00", "ü", strings.Repeat("x", 201)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		err := message.Type{Topic: name}.Validate()
		if (err == nil) != (message.ValidateGroup(name) == nil) {
			t.Errorf("as a topic %q is %v, as a group it is not", name, err)
		}
		const inside = "abcdefghijklmnopqrstuvwxyz0123456789._-"
		good := name != "" && len(name) <= 200 && strings.Trim(name, inside) == "" &&
			strings.Trim(name, "._-") == name
		for _, r := range name {
			good = good && strings.ContainsRune(inside, r)
		}
		if good != (err == nil) {
			t.Errorf("%q: %v", name, err)
		}
		if err != nil && !errors.Is(err, fault.Invalid) {
			t.Errorf("the error is %v", err)
		}
	})
}

// FuzzSlot: every key has a slot, the same each time.
func FuzzSlot(f *testing.F) {
	f.Add("a")
	f.Fuzz(func(t *testing.T, key string) {
		s := message.Slot(key)
		if s < 0 || s >= message.Slots || s != message.Slot(strings.Clone(key)) {
			t.Errorf("%q has the slot %d", key, s)
		}
	})
}
