package dialect_test

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/value"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	id      = dialect.Column{Name: "id", Type: value.TypeUUID}
	version = dialect.Column{Name: "version", Type: value.TypeInt64}
	name    = dialect.Column{Name: "name", Type: value.TypeText}
	mood    = dialect.Column{Name: "mood", Type: value.TypeText, Native: "mood"}
)

// rendered is a piece of SQL and what it should be.
type rendered struct{ name, got, want string }

func check(t *testing.T, all []rendered) {
	t.Helper()
	for _, r := range all {
		if r.got != r.want {
			t.Errorf("%s:\n got %s\nwant %s", r.name, r.got, r.want)
		}
	}
}

// text returns what f appends.
func text(f func(b *strings.Builder)) string {
	var b strings.Builder
	f(&b)
	return b.String()
}

func appendColumn(b *strings.Builder) { b.WriteString("c") }

func in(d dialect.Dialect, first, n int, t value.Type) (string, int) {
	var b strings.Builder
	used := d.In(&b, appendColumn, first, n, t)
	return b.String(), used
}

func columnTypes(d dialect.Dialect) string {
	var all []string
	for t := value.TypeUnknown; t <= value.TypeDecimal; t++ {
		all = append(all, t.String()+" "+d.ColumnType(t, ""))
	}
	return strings.Join(all, "; ")
}

func lockings(d dialect.Dialect) string {
	return text(func(b *strings.Builder) {
		for l := dialect.NoLock; l <= dialect.ForNoKeyUpdate; l++ {
			d.Locking(b, l, "")
			b.WriteString(";")
		}
	})
}

func pagings(d dialect.Dialect) string {
	return text(func(b *strings.Builder) {
		for _, p := range [][2]int{{0, 0}, {5, 0}, {5, 10}, {0, 10}} {
			d.Paging(b, p[0], p[1])
			b.WriteString(";")
		}
	})
}
