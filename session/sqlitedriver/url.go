package sqlitedriver

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// location is where a database is and how it is opened.
type location struct {
	path        string // of the file; empty for memory until it is made
	memory      bool   // private and temporary
	synchronous string
}

// parseURL reads a URL of the forms that the package's documentation lists. url.Parse is no help, since ":memory:" is
// no host and a relative path is no path to it.
func parseURL(raw string) (*location, error) {
	_, rest, ok := strings.Cut(raw, ":")
	if !ok || !strings.HasPrefix(rest, "//") {
		return nil, errors.New("the URL is neither sqlite:///path nor sqlite:////absolute/path nor sqlite:///:memory: in form")
	}
	rest, query, _ := strings.Cut(rest[2:], "?")
	path, err := url.PathUnescape(rest)
	if err != nil {
		return nil, fmt.Errorf("the URL: %w", err)
	}
	path = strings.TrimPrefix(strings.TrimPrefix(path, "/"), "file:")
	loc := &location{path: path, synchronous: "FULL"}
	switch {
	case path == "" || path == ":memory:":
		loc.path, loc.memory, loc.synchronous = "", true, "OFF"
	case !strings.HasPrefix(rest, "/") && !strings.HasPrefix(rest, "file:"):
		return nil, errors.New("the URL: a path needs three slashes before it, and an absolute one four")
	case strings.ContainsRune(path, 0):
		return nil, errors.New("the URL: the path holds a NUL")
	}
	return loc, loc.parameters(query)
}

// parameters reads the URL's query. An unknown parameter is an error, because it would otherwise be one that does
// nothing.
func (l *location) parameters(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return fmt.Errorf("the URL: %w", err)
	}
	for name, list := range values {
		if name != "synchronous" {
			return fmt.Errorf("the URL has the unknown parameter %q", name)
		}
		l.synchronous = strings.ToUpper(list[len(list)-1])
		if !slices.Contains([]string{"OFF", "NORMAL", "FULL", "EXTRA"}, l.synchronous) {
			return errors.New("the URL: synchronous is one of off, normal, full and extra")
		}
	}
	return nil
}

// dsn returns the SQLite package's name for the database. Only values from lists of ours are in its pragmas.
func (l *location) dsn(readonly bool) string {
	path := filepath.ToSlash(l.path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // a drive letter
	}
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_pragma=busy_timeout(" + strconv.Itoa(busyTimeout) + ")&_pragma=journal_mode(WAL)&_pragma=synchronous(" + l.synchronous + ")" +
		"&_pragma=foreign_keys(1)" +
		"&_pragma=case_sensitive_like(1)" + // as everywhere else, and as queries promise
		"&_timezone=UTC&_dqs=0" // a misspelled "column" is an error and no string
	if readonly {
		dsn += "&_query_only=1"
	}
	return dsn
}
