package message_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/message"
)

func TestEnvelope(t *testing.T) {
	t.Parallel()
	for _, e := range []message.Envelope{
		{Version: 1},
		{Version: 7, Headers: message.Headers{message.Tenant: "Müller \"&\" <Söhne>", "empty": ""}},
	} {
		b, err := e.Seal()
		if err != nil {
			t.Fatal(err)
		}
		got, err := message.Unseal(b)
		if err != nil || got.Version != e.Version || !maps.Equal(got.Headers, e.Headers) {
			t.Errorf("%+v became %s and %+v, %v", e, b, got, err)
		}
	}
	b, _ := message.Envelope{}.Seal()
	if e, err := message.Unseal(b); err != nil || e.Version != 1 {
		t.Errorf("without a version it is %+v, %v", e, err)
	}
}

// TestEnvelopeStays: what was written by any version of this package is read by all later ones.
func TestEnvelopeStays(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]message.Envelope{
		`{"e":1,"v":1}`:                      {Version: 1},
		`{"e":1,"v":3,"h":{"tenant":"a"}}`:   {Version: 3, Headers: message.Headers{"tenant": "a"}},
		`{"e":1,"v":2,"h":null,"later":[1]}`: {Version: 2},
	} {
		if got, err := message.Unseal([]byte(text)); err != nil || got.Version != want.Version || !maps.Equal(got.Headers, want.Headers) {
			t.Errorf("%s is %+v, %v", text, got, err)
		}
	}
	b, err := message.Envelope{Version: 3, Headers: message.Headers{"b": "2", "a": "1"}}.Seal()
	if want := `{"e":1,"v":3,"h":{"a":"1","b":"2"}}`; string(b) != want || err != nil {
		t.Errorf("it is sealed as %s, %v; want %s", b, err, want)
	}
}

func TestUnsealRefuses(t *testing.T) {
	t.Parallel()
	for text, newer := range map[string]bool{
		``: false, `x`: false, `null`: false, `[]`: false, `{}`: false, `{"e":1}`: false, `{"v":1}`: false,
		`{"e":0,"v":1}`: false, `{"e":-1,"v":1}`: false, `{"e":1,"v":0}`: false, `{"e":1,"v":-3}`: false, `{"e":"1","v":1}`: false,
		`{"e":1,"v":1,"h":[]}`: false, `{"e":1,"v":1,"h":{"a":1}}`: false, `{"e":1,"v":1.5}`: false, `{"e":1,"v":1}{`: false,
		`{"e":2,"v":1}`: true, `{"e":2}`: true, `{"e":2,"v":"of another kind"}`: true, `{"h":[],"e":9}`: true,
	} {
		_, err := message.Unseal([]byte(text))
		if !errors.Is(err, fault.Invalid) || errors.Is(err, message.ErrNewer) != newer {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestHeadersValidate(t *testing.T) {
	t.Parallel()
	many := func(n int) message.Headers {
		h := message.Headers{}
		for i := range n {
			h[fmt.Sprint("h", i)] = ""
		}
		return h
	}
	for name, c := range map[string]struct {
		h    message.Headers
		want string
	}{
		"none":                     {nil, ""},
		"those that flow":          {message.Headers{message.TraceParent: "00-x-01", message.CorrelationID: "7", message.Tenant: "Müller"}, ""},
		"an empty value":           {message.Headers{"x": ""}, ""},
		"as many as there may be":  {many(64), ""},
		"too many":                 {many(65), "not 65"},
		"a name as long as it may": {message.Headers{strings.Repeat("n", 128): ""}, ""},
		"a long name":              {message.Headers{strings.Repeat("n", 129): ""}, "name"},
		"no name":                  {message.Headers{"": "x"}, "name"},
		"a capital":                {message.Headers{"Tenant": "x"}, "Tenant"},
		"a colon":                  {message.Headers{"a:b": "x"}, "a:b"},
		"a value as long as it may": {
			message.Headers{"x": strings.Repeat("v", 8<<10)}, "",
		},
		"a long value": {message.Headers{"x": strings.Repeat("v", 8<<10+1)}, `"x"`},
		"a line break": {message.Headers{"x": "a\nb"}, `"x"`},
		"NUL":          {message.Headers{"x": "\x00"}, `"x"`},
		"DEL":          {message.Headers{"x": "\x7f"}, `"x"`},
		"no text":      {message.Headers{"x": "\xff"}, `"x"`},
		"a line of C1": {message.Headers{"x": "a\u0085b"}, `"x"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantInvalid(t, c.h.Validate(), c.want)
		})
	}
}

// FuzzUnseal: whatever stands in an envelope, it is read or refused, and what is read can be sealed again.
func FuzzUnseal(f *testing.F) {
	for _, s := range []string{`{"e":1,"v":1}`, `{"e":1,"v":3,"h":{"tenant":"a"}}`, `{"e":2}`, `{"E":1,"V":1}`, ``, `null`, "\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		e, err := message.Unseal(b)
		if !bytes.Equal(b, before) {
			t.Error("it was changed")
		}
		if err != nil {
			if !errors.Is(err, fault.Invalid) || e.Version != 0 || e.Headers != nil {
				t.Errorf("%+v, %v", e, err)
			}
			return
		}
		if e.Version < 1 {
			t.Errorf("the version is %d", e.Version)
		}
		sealed, err := e.Seal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := message.Unseal(sealed)
		if err != nil || again.Version != e.Version || !maps.Equal(again.Headers, e.Headers) {
			t.Errorf("%+v became %s and %+v, %v", e, sealed, again, err)
		}
		_ = e.Headers.Flow()
	})
}

// FuzzHeaders: what is accepted is printable, can be stored, and comes back as it was.
func FuzzHeaders(f *testing.F) {
	f.Add("tenant", "a")
	f.Add("Tenant", "a\r\nb")
	f.Add("", "\xff\u2028")
	f.Fuzz(func(t *testing.T, name, v string) {
		h := message.Headers{name: v}
		if err := h.Validate(); err != nil {
			if !errors.Is(err, fault.Invalid) {
				t.Errorf("the error is %v", err)
			}
			return
		}
		if name == "" || name != strings.ToLower(name) || len(name) > 128 || len(v) > 8<<10 || !utf8.ValidString(v) {
			t.Errorf("accepted are %q: %q", name, v)
		}
		if strings.ContainsFunc(name+v, unicode.IsControl) {
			t.Errorf("accepted are %q: %q", name, v)
		}
		b, err := message.Envelope{Version: 1, Headers: h}.Seal()
		if err != nil {
			t.Fatal(err)
		}
		if e, err := message.Unseal(b); err != nil || !maps.Equal(e.Headers, h) {
			t.Errorf("%q became %q, %v", h, e.Headers, err)
		}
	})
}
