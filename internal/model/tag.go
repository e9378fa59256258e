package model

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/urutu-go/urutu/value"
)

// maxName is the longest name that PostgreSQL keeps; it cuts what is longer, silently.
const maxName = 63

// tag is a parsed `db` tag.
type tag struct {
	column string // "" for the default
	skip   bool   // "-"

	pk, serial, readonly, secret, notNull, json bool
	deferrable                                  bool
	created, updated, version, softDelete       bool

	unique  bool
	uniques []string // groups
	index   bool
	indexes []string // groups

	ref, onDelete        string
	defaultTo, generated string
	native, prefix       string
	optionNames          []string // as written, for errors and checks
}

// flags are the options without a value, and settings those that need one.
var (
	flags = map[string]func(*tag) *bool{
		"pk":         func(t *tag) *bool { return &t.pk },
		"serial":     func(t *tag) *bool { return &t.serial },
		"readonly":   func(t *tag) *bool { return &t.readonly },
		"secret":     func(t *tag) *bool { return &t.secret },
		"notnull":    func(t *tag) *bool { return &t.notNull },
		"json":       func(t *tag) *bool { return &t.json },
		"deferrable": func(t *tag) *bool { return &t.deferrable },
		"created":    func(t *tag) *bool { return &t.created },
		"updated":    func(t *tag) *bool { return &t.updated },
		"version":    func(t *tag) *bool { return &t.version },
		"softdelete": func(t *tag) *bool { return &t.softDelete },
	}
	settings = map[string]func(*tag) *string{
		"ref":       func(t *tag) *string { return &t.ref },
		"ondelete":  func(t *tag) *string { return &t.onDelete },
		"default":   func(t *tag) *string { return &t.defaultTo },
		"generated": func(t *tag) *string { return &t.generated },
		"type":      func(t *tag) *string { return &t.native },
		"prefix":    func(t *tag) *string { return &t.prefix },
	}
	onDeletes = map[string]string{"cascade": "CASCADE", "setnull": "SET NULL", "restrict": "RESTRICT"}
)

// parseTag parses the text of a `db` tag. It is strict: what it does not know is an error, since a mistyped option would
// otherwise be a table without its key.
func parseTag(text string) (tag, error) {
	var t tag
	if text == "-" {
		t.skip = true
		return t, nil
	}
	items, err := splitTag(text)
	if err != nil {
		return t, err
	}
	t.column = items[0]
	if t.column != "" {
		if err := checkName("column name", t.column, false); err != nil {
			return t, err
		}
	}
	for _, item := range items[1:] {
		if err := t.option(item); err != nil {
			return t, err
		}
	}
	return t, t.check()
}

// splitTag splits at commas, but for those in parentheses or quotes: "amount,type=numeric(12,2),default=f('a,b')".
func splitTag(text string) ([]string, error) {
	var items []string
	depth, start := 0, 0
	var quote byte
	for i := range len(text) {
		c := text[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth < 0 {
				return nil, errors.New("the tag closes a parenthesis that it did not open")
			}
		case c == ',' && depth == 0:
			items = append(items, strings.TrimSpace(text[start:i]))
			start = i + 1
		}
	}
	if depth != 0 || quote != 0 {
		return nil, errors.New("the tag has an open parenthesis or quote")
	}
	return append(items, strings.TrimSpace(text[start:])), nil
}

func (t *tag) option(item string) error {
	name, arg, hasArg := strings.Cut(item, "=")
	name, arg = strings.TrimSpace(name), strings.TrimSpace(arg)
	if hasArg && arg == "" {
		return fmt.Errorf("option %s= has no value", name)
	}
	if name == "unique" || name == "index" {
		return t.group(name, arg)
	}
	if slices.Contains(t.optionNames, name) {
		return fmt.Errorf("option %s is there twice", name)
	}
	t.optionNames = append(t.optionNames, name)
	if at, ok := flags[name]; ok {
		if hasArg {
			return fmt.Errorf("option %s takes no value", name)
		}
		*at(t) = true
		return nil
	}
	at, ok := settings[name]
	if !ok {
		return fmt.Errorf("unknown option %q", name)
	}
	if !hasArg {
		return fmt.Errorf("option %s needs a value", name)
	}
	*at(t) = arg
	return nil
}

// group adds the column to a constraint: its own, or one of several columns.
func (t *tag) group(name, group string) error {
	alone, groups := &t.unique, &t.uniques
	if name == "index" {
		alone, groups = &t.index, &t.indexes
	}
	if (group == "" && *alone) || (group != "" && slices.Contains(*groups, group)) {
		return fmt.Errorf("option %s is there twice", name)
	}
	if group == "" {
		*alone = true
	} else {
		*groups = append(*groups, group)
	}
	t.optionNames = append(t.optionNames, name)
	return nil
}

// excludes lists options that contradict each other.
var excludes = [][2]string{
	{"default", "generated"}, {"default", "serial"}, {"generated", "serial"}, {"generated", "readonly"},
	{"default", "pk"}, {"generated", "pk"}, {"readonly", "pk"},
	{"created", "updated"}, {"created", "version"}, {"created", "softdelete"}, {"updated", "version"},
	{"updated", "softdelete"}, {"version", "softdelete"},
	{"json", "pk"}, {"json", "serial"}, {"json", "created"}, {"json", "updated"}, {"json", "version"}, {"json", "softdelete"},
}

// check looks for what no type could make right.
func (t *tag) check() error {
	has := func(name string) bool { return slices.Contains(t.optionNames, name) }
	for _, pair := range excludes {
		if has(pair[0]) && has(pair[1]) {
			return fmt.Errorf("options %s and %s contradict each other", pair[0], pair[1])
		}
	}
	for _, kept := range []string{"created", "updated", "version", "softdelete"} {
		for _, other := range []string{"pk", "serial", "default", "generated", "readonly"} {
			if has(kept) && has(other) {
				return fmt.Errorf("options %s and %s contradict each other: the session keeps a %s field", kept, other, kept)
			}
		}
	}
	if t.deferrable && t.ref == "" && !t.unique && len(t.uniques) == 0 {
		return errors.New("option deferrable is for a foreign key or a unique constraint: add ref or unique")
	}
	if t.serial && !t.pk {
		return errors.New("option serial is for a primary key: add pk")
	}
	if t.onDelete != "" {
		action, ok := onDeletes[t.onDelete]
		if !ok {
			return fmt.Errorf("ondelete=%s: it is cascade, setnull or restrict", t.onDelete)
		}
		if t.ref == "" {
			return errors.New("option ondelete needs ref")
		}
		t.onDelete = action
	}
	if t.ref != "" {
		if err := checkName("referenced table", t.ref, true); err != nil {
			return err
		}
	}
	return t.checkPrefix()
}

func (t *tag) checkPrefix() error {
	if t.prefix == "" {
		return nil
	}
	if len(t.optionNames) > 1 || t.column != "" {
		return errors.New("option prefix stands alone: db:\",prefix=...\"")
	}
	return checkName("prefix", t.prefix, false)
}

// checkName accepts letters, digits, _ and $, not beginning with a digit; with dots between such names where dotted.
func checkName(what, name string, dotted bool) error {
	parts := []string{name}
	if dotted {
		parts = strings.Split(name, ".")
	}
	for _, part := range parts {
		if part == "" || len(part) > maxName {
			return fmt.Errorf("%s %q: a name has 1 to %d bytes", what, name, maxName)
		}
		for i, r := range part {
			if r == '_' || unicode.IsLetter(r) || (i > 0 && (r == '$' || unicode.IsDigit(r))) {
				continue
			}
			return fmt.Errorf("%s %q: a name is made of letters, digits and _, and does not begin with a digit", what, name)
		}
	}
	return nil
}

// nativeTypes tells what the names of column types stand for, where that changes how a Go type is stored.
var nativeTypes = map[string]value.Type{
	"numeric": value.TypeDecimal, "decimal": value.TypeDecimal,
	"text": value.TypeText, "varchar": value.TypeText, "character varying": value.TypeText, "char": value.TypeText,
	"character": value.TypeText, "bpchar": value.TypeText, "citext": value.TypeText,
	"uuid": value.TypeUUID, "bytea": value.TypeBytes, "blob": value.TypeBytes,
	"json": value.TypeJSON, "jsonb": value.TypeJSON,
	"smallint": value.TypeInt16, "int2": value.TypeInt16, "integer": value.TypeInt32, "int": value.TypeInt32,
	"int4": value.TypeInt32, "bigint": value.TypeInt64, "int8": value.TypeInt64,
	"boolean": value.TypeBool, "bool": value.TypeBool, "real": value.TypeFloat32, "float4": value.TypeFloat32,
	"double precision": value.TypeFloat64, "float8": value.TypeFloat64,
	"timestamptz": value.TypeTime, "timestamp with time zone": value.TypeTime, "datetime": value.TypeTime,
}

// nativeType returns what a column type's name stands for, its modifiers aside, or TypeUnknown.
func nativeType(name string) value.Type {
	before, rest, found := strings.Cut(name, "(")
	if _, after, ok := strings.Cut(rest, ")"); found && ok {
		before += after
	}
	return nativeTypes[strings.Join(strings.Fields(strings.ToLower(before)), " ")]
}
