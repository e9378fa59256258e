package model

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzRelationTag checks that no rel tag makes the parser fall over, that what it accepts is safe to use as names, and
// that it is all that the tag says.
func FuzzRelationTag(f *testing.F) {
	for _, seed := range []string{
		"", "user_id", "lines.order_id", "sales.lines.order_id", "order_tags(order_id,tag_id)", "a.b( c , d )",
		"a(b)", "a(b,c)d", "a(b,c", ".", "a.", ".a", "(,)", "a(b,c,d)", "a)b(", "é.ü", "a\x00.b",
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, text string, many bool) {
		s, err := parseRelation(text, many)
		if err != nil {
			return
		}
		if s.kind.ToMany() != many {
			t.Errorf("%q is %v", text, s.kind)
		}
		for _, name := range []string{s.table, s.columns[0], s.columns[1]} {
			if strings.ContainsAny(name, "\"'`;\x00 ,()") || !utf8.ValidString(name) {
				t.Errorf("%q: name %q", text, name)
			}
		}
		back := s.columns[0]
		switch s.kind {
		case HasOne, HasMany:
			back = s.table + "." + back
		case ManyToMany:
			back = s.table + "(" + back + "," + s.columns[1] + ")"
		}
		if strings.Join(strings.Fields(text), "") != back && strings.ContainsRune(text, '(') || s.kind < ManyToMany && back != text {
			t.Errorf("%q was read as %q", text, back)
		}
	})
}
