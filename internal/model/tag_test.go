package model

import (
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseTag(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]tag{
		"":                                {},
		"-":                               {skip: true},
		"email":                           {column: "email"},
		" email , pk ":                    {column: "email", pk: true},
		",type=a(b,c),json":               {native: "a(b,c)", json: true},
		",default='a,b'":                  {defaultTo: "'a,b'"},
		",default=f(x => 'it''s, so', y)": {defaultTo: "f(x => 'it''s, so', y)"},
		",generated=a = b":                {generated: "a = b"},
		",unique,unique=a,unique=b,index,index=c": {unique: true, uniques: []string{"a", "b"}, index: true, indexes: []string{"c"}},
		",ref=t.c,ondelete=cascade":               {ref: "t.c", onDelete: "CASCADE"},
		",prefix=a_":                              {prefix: "a_"},
	} {
		got, err := parseTag(text)
		got.optionNames = nil
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

func TestParseTagIsStrict(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"-,":                      "made of letters",
		"a,":                      "unknown option",
		"a,Pk":                    "unknown option",
		"a,pk,pk":                 "twice",
		"a,unique,unique":         "twice",
		"a,unique=x,unique=x":     "twice",
		"a,pk=1":                  "takes no value",
		"a,type":                  "needs a value",
		"a,type=":                 "no value",
		"a,unique=":               "no value",
		"a,type=numeric(12":       "open parenthesis",
		"a,type=numeric)":         "did not open",
		"a,default='x":            "open parenthesis or quote",
		"a,serial":                "add pk",
		"a,pk,default=1":          "contradict",
		"a,default=1,generated=2": "contradict",
		"a,created,updated":       "contradict",
		"a,version,readonly":      "contradict",
		"a,json,pk":               "contradict",
		"a,ondelete=cascade":      "needs ref",
		"a,ref=t,ondelete=delete": "cascade, setnull or restrict",
		"a,ref=t..c":              "1 to 63 bytes",
		"a,prefix=b_":             "stands alone",
		",prefix=b_,json":         "stands alone",
		`a"b`:                     "open parenthesis or quote",
		"1a":                      "does not begin with a digit",
		strings.Repeat("a", 64):   "1 to 63 bytes",
	} {
		if got, err := parseTag(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v; want ...%s...", text, got, err, want)
		}
	}
}

// TestTagsOfOptions builds tags from options that go together, and expects them all back.
func TestTagsOfOptions(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		column := rapid.StringMatching(`[a-z_][a-z0-9_]{0,20}`).Draw(t, "column")
		native := rapid.StringMatching(`[a-z]{1,8}(\([0-9]{1,2}(, ?[0-9])?\))?`).Draw(t, "type")
		def := rapid.StringMatching(`'[^'"()]*'|[a-z]+\((a, b)?\)|[0-9]+`).Draw(t, "default")
		options := rapid.Permutation([]string{"secret", "readonly", "type=" + native, "default=" + def, "unique=g", "index"}).Draw(t, "options")
		text := column + "," + strings.Join(options, ",")

		got, err := parseTag(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got.column != column || got.native != native || got.defaultTo != def || !got.secret || !got.readonly || !got.index || len(got.uniques) != 1 {
			t.Fatalf("%s: %+v", text, got)
		}
	})
}
