package dialect

import "strings"

// conflict appends ON CONFLICT to the insertion of a row into a table with the alias x, or nothing where c is nil.
func conflict(b *strings.Builder, c *Conflict, column func(*strings.Builder, string)) {
	if c == nil {
		return
	}
	b.WriteString(" ON CONFLICT (")
	list(b, len(c.Target), ", ", func(i int) { column(b, c.Target[i]) })
	b.WriteString(") DO UPDATE SET ")
	set := c.Set
	if len(set) == 0 && c.Increase == "" {
		set = c.Target[:1] // to itself, since a row that nothing is done to is not returned
	}
	list(b, len(set), ", ", func(i int) {
		column(b, set[i])
		b.WriteString(" = excluded.")
		column(b, set[i])
	})
	if c.Increase == "" {
		return
	}
	if len(set) > 0 {
		b.WriteString(", ")
	}
	column(b, c.Increase)
	b.WriteString(" = x.")
	column(b, c.Increase)
	b.WriteString(" + 1")
}
