package dialect

import (
	"strconv"
	"strings"
)

// quote appends name between two marks, with each mark inside it doubled. A NUL, which no database takes in a name, is
// left out, so that it cannot end the text early.
func quote(b *strings.Builder, name string, mark byte) {
	b.WriteByte(mark)
	if strings.IndexByte(name, mark) < 0 && strings.IndexByte(name, 0) < 0 {
		b.WriteString(name)
		b.WriteByte(mark)
		return
	}
	for i := range len(name) {
		switch c := name[i]; c {
		case 0:
		case mark:
			b.WriteByte(mark)
			b.WriteByte(mark)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte(mark)
}

// number appends a placeholder: a mark and a number.
func number(b *strings.Builder, mark byte, n int) {
	b.WriteByte(mark)
	b.WriteString(strconv.Itoa(n))
}

// list appends n items with sep between them.
func list(b *strings.Builder, n int, sep string, item func(i int)) {
	for i := range n {
		if i > 0 {
			b.WriteString(sep)
		}
		item(i)
	}
}

// nothing is a predicate that no row satisfies: what "in an empty list" means.
const nothing = "1 = 0"
