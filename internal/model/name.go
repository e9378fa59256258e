package model

import (
	"fmt"
	"hash/fnv"
	"strings"
	"unicode"
)

// Snake turns a Go name into a column's: UserID becomes user_id, HTTPServer http_server, UserIDs user_ids.
func Snake(name string) string {
	rs := []rune(name)
	var b strings.Builder
	for i, r := range rs {
		if i > 0 && unicode.IsUpper(r) && startsWord(rs, i) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// startsWord reports whether the upper-case letter at i begins a word: after a lower-case letter or a digit, or as the
// last of a run of capitals that goes on in lower case, unless that is just the s of a plural.
func startsWord(rs []rune, i int) bool {
	before := rs[i-1]
	if before == '_' {
		return false
	}
	if !unicode.IsUpper(before) {
		return true
	}
	if i+1 == len(rs) || !unicode.IsLower(rs[i+1]) {
		return false
	}
	plural := rs[i+1] == 's' && (i+2 == len(rs) || unicode.IsUpper(rs[i+2]))
	return !plural
}

// plural adds what the regular plural of an English noun adds. Irregular ones are for the tag of an entity.Table.
func plural(noun string) string {
	for _, end := range []string{"s", "x", "z", "ch", "sh"} {
		if strings.HasSuffix(noun, end) {
			return noun + "es"
		}
	}
	if n := len(noun); n > 1 && noun[n-1] == 'y' && !strings.ContainsRune("aeiou", rune(noun[n-2])) {
		return noun[:n-1] + "ies"
	}
	return noun + "s"
}

// constraintName joins the table's own name, the columns and what it is. A name that is too long keeps its beginning, and
// gets a hash of the whole, so that it stays the same and its own.
func constraintName(table string, columns []string, kind string) string {
	if i := strings.LastIndexByte(table, '.'); i >= 0 {
		table = table[i+1:]
	}
	name := table + "_" + strings.Join(append(columns[:len(columns):len(columns)], kind), "_")
	if len(name) <= maxName {
		return name
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	head := strings.ToValidUTF8(name[:maxName-10-len(kind)], "")
	return fmt.Sprintf("%s_%08x_%s", head, h.Sum32(), kind)
}
