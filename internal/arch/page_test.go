package arch

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/urutu-go/urutu"
	page   = "../../docs/architecture.md"
)

// row is one package of the layer table.
type row struct {
	layer string
	path  string // the import path
	never []string
}

// library is one row of the table of dependencies.
type library struct {
	path string
	by   []string // import paths
}

var code = regexp.MustCompile("`([^`]+)`")

// tables reads both tables of the page.
func tables(t *testing.T) (rows []row, libraries []library) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, cells := range table(t, string(text), "| layer | package | never | what it is for |") {
		rows = append(rows, row{cells[0], importPaths(cells[1])[0], importPaths(cells[2])})
	}
	for _, cells := range table(t, string(text), "| library | imported by | why |") {
		libraries = append(libraries, library{code.FindStringSubmatch(cells[0])[1], importPaths(cells[1])})
	}
	return rows, libraries
}

// table returns the cells of the Markdown table with the given header.
func table(t *testing.T, text, header string) (rows [][]string) {
	t.Helper()
	_, rest, found := strings.Cut(text, header+"\n")
	if !found {
		t.Fatalf("%s has no table %q", page, header)
	}
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		if strings.HasPrefix(line, "|---") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

// importPaths returns the packages that a cell names in code quotes.
func importPaths(cell string) (paths []string) {
	for _, m := range code.FindAllStringSubmatch(cell, -1) {
		if m[1] == "urutu" {
			paths = append(paths, module)
		} else {
			paths = append(paths, module+"/"+m[1])
		}
	}
	return paths
}

// allowed returns what shipped code of the package in rows[i] may import, besides the standard library.
func allowed(rows []row, libraries []library, i int) (paths []string) {
	for _, above := range rows[:i] {
		if !slices.Contains(rows[i].never, above.path) {
			paths = append(paths, above.path)
		}
	}
	for _, l := range libraries {
		if slices.Contains(l.by, rows[i].path) {
			paths = append(paths, l.path)
		}
	}
	return paths
}

// permits reports whether the allowed paths cover an import: exactly for our own packages, with all of its packages for
// a library.
func permits(paths []string, imported string) bool {
	return slices.ContainsFunc(paths, func(p string) bool {
		if p == module || strings.HasPrefix(p, module+"/") {
			return imported == p
		}
		return imported == p || strings.HasPrefix(imported, p+"/")
	})
}

// rules renders the linter's import rules: the same table, so that an editor shows a violation as it is typed.
func rules(rows []row, libraries []library) string {
	var b strings.Builder
	for i, r := range rows {
		name := strings.TrimPrefix(strings.TrimPrefix(r.path, module), "/")
		quoted := []string{`"$gostd"`}
		for _, p := range allowed(rows, libraries, i) {
			if p == module || strings.HasPrefix(p, module+"/") {
				p += "$"
			}
			quoted = append(quoted, `"`+p+`"`)
		}
		fmt.Fprintf(&b, "        %s:\n          list-mode: strict\n", strings.ReplaceAll(cmp.Or(name, "urutu"), "/", "-"))
		fmt.Fprintf(&b, "          files: [%q, \"!$test\"]\n", strings.ReplaceAll("${config-path}/"+name+"/*.go", "//", "/"))
		fmt.Fprintf(&b, "          allow:\n            - %s\n", strings.Join(quoted, "\n            - "))
	}
	return b.String()
}
