package sqlitedriver

import (
	"net/url"
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		url  string
		want location
	}{
		{"sqlite:///relative.db", location{path: "relative.db", synchronous: "FULL"}},
		{"sqlite:///dir/relative.db", location{path: "dir/relative.db", synchronous: "FULL"}},
		{"sqlite:////abs/path.db", location{path: "/abs/path.db", synchronous: "FULL"}},
		{"sqlite3:////abs/path.db", location{path: "/abs/path.db", synchronous: "FULL"}},
		{"sqlite+aiosqlite:////abs/path.db", location{path: "/abs/path.db", synchronous: "FULL"}},
		{"sqlite:///file:/abs/path.db", location{path: "/abs/path.db", synchronous: "FULL"}},
		{"sqlite:///a%20b%3Fc.db", location{path: "a b?c.db", synchronous: "FULL"}},
		{"sqlite:///C:/data/x.db", location{path: "C:/data/x.db", synchronous: "FULL"}},
		{"sqlite:///x.db?synchronous=normal", location{path: "x.db", synchronous: "NORMAL"}},
		{"sqlite:///:memory:", location{memory: true, synchronous: "OFF"}},
		{"sqlite://:memory:", location{memory: true, synchronous: "OFF"}},
		{"sqlite+aiosqlite:///:memory:", location{memory: true, synchronous: "OFF"}},
		{"sqlite:///file::memory:", location{memory: true, synchronous: "OFF"}},
		{"sqlite://", location{memory: true, synchronous: "OFF"}},
		{"sqlite:///:memory:?synchronous=full", location{memory: true, synchronous: "FULL"}},
	} {
		got, err := parseURL(c.url)
		if err != nil || *got != c.want {
			t.Errorf("parseURL(%q) = %+v, %v, want %+v", c.url, got, err, c.want)
		}
	}
	for _, bad := range []string{
		"", "sqlite", "sqlite:x.db", "sqlite:/x.db", "sqlite://host/x.db", "sqlite:///x%zz.db", "sqlite:///x%00.db",
		"sqlite:///x.db?mode=ro", "sqlite:///x.db?synchronous=", "sqlite:///x.db?synchronous=FULL);ATTACH", "sqlite:///x?%zz",
	} {
		if got, err := parseURL(bad); err == nil {
			t.Errorf("parseURL(%q) = %+v, want an error", bad, got)
		}
	}
}

// FuzzParseURL: whatever the URL, what the SQLite package is told to run is what we wrote.
func FuzzParseURL(f *testing.F) {
	for _, s := range []string{
		"sqlite:///x.db", "sqlite:///:memory:", "sqlite:////a?synchronous=off", "sqlite:///a%3F_pragma=x;y%26z%23",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		loc, err := parseURL(raw)
		if err != nil || loc.memory {
			return
		}
		path, query, found := strings.Cut(loc.dsn(true), "?")
		values, err := url.ParseQuery(query)
		if !found || err != nil || len(values) != 4 || len(values["_pragma"]) != 5 || strings.Contains(path, "#") {
			t.Fatalf("%q became %q", raw, loc.dsn(true))
		}
		for _, p := range values["_pragma"] {
			if strings.ContainsAny(p, "; ") {
				t.Fatalf("%q became the pragma %q", raw, p)
			}
		}
		if back, err := url.PathUnescape(strings.TrimPrefix(path, "file:")); err != nil || !strings.HasSuffix(back, loc.path) {
			t.Fatalf("the path %q became %q", loc.path, back)
		}
	})
}
