package arch

import (
	"encoding/json"
	"flag"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite what is derived from docs/architecture.md")

// listed is what `go list` says of a package.
type listed struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Deps       []string
	Module     *struct{ Path string }
}

// packages returns the module's packages and everything they link.
func packages(t *testing.T) (ours []listed, all map[string]listed) {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,Imports,Deps,Module", module+"/...")
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	all = map[string]listed{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); err == io.EOF {
			return ours, all
		} else if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
		if p.Module != nil && p.Module.Path == module {
			ours = append(ours, p)
		}
	}
}

func TestImportsFollowTheLayerTable(t *testing.T) {
	t.Parallel()
	rows, libraries := tables(t)
	ours, all := packages(t)

	for _, p := range ours {
		i := slices.IndexFunc(rows, func(r row) bool { return r.path == p.ImportPath })
		if i < 0 {
			t.Errorf("%s is not in the layer table", p.ImportPath)
			continue
		}
		may := allowed(rows, libraries, i)
		for _, imported := range p.Imports {
			if !all[imported].Standard && imported != "C" && !permits(may, imported) {
				t.Errorf("%s imports %s, which the layer table does not allow", p.ImportPath, imported)
			}
		}
	}
	for _, r := range rows {
		if !slices.ContainsFunc(ours, func(p listed) bool { return p.ImportPath == r.path }) {
			t.Errorf("%s is in the layer table and nowhere else", r.path)
		}
	}
}

// TestTableForbids shows that the rules can fail.
func TestTableForbids(t *testing.T) {
	t.Parallel()
	rows, libraries := tables(t)
	for _, tt := range []struct {
		from, to string
		want     bool
	}{
		{"uow", module + "/fault", true},
		{"uow", module + "/session", false},
		{"web", module + "/session", false},
		{"session", module + "/web", false},
		{"session", module + "/session/driver", true},
		{"session", module + "/session/pgxdriver", false},
		{"session", "github.com/jackc/pgx/v5", false},
		{"session/pgxdriver", "github.com/jackc/pgx/v5/pgconn", true},
		{"session/pgxdriver", module + "/session", false},
		{"urututest", "go.uber.org/goleak", false},
	} {
		i := slices.IndexFunc(rows, func(r row) bool { return r.path == module+"/"+tt.from })
		if got := permits(allowed(rows, libraries, i), tt.to); got != tt.want {
			t.Errorf("%s may import %s: %t", tt.from, tt.to, got)
		}
	}
}

// TestDependencies compares the modules that each public package links with the list that was last agreed on.
func TestDependencies(t *testing.T) {
	t.Parallel()
	ours, all := packages(t)
	slices.SortFunc(ours, func(a, b listed) int { return strings.Compare(a.ImportPath, b.ImportPath) })
	var b strings.Builder
	b.WriteString("# The modules that each public package links. After a change that was decided on: go test ./internal/arch -update\n")
	for _, p := range ours {
		if strings.Contains(p.ImportPath, "/internal/") {
			continue
		}
		linked := map[string]bool{}
		for _, d := range p.Deps {
			if m := all[d].Module; m != nil && m.Path != module {
				linked[m.Path] = true
			}
		}
		b.WriteString("\n" + p.ImportPath + "\n")
		for _, path := range sorted(linked) {
			b.WriteString("\t" + path + "\n")
		}
	}
	derived(t, "testdata/dependencies.txt", b.String())
}

func sorted(set map[string]bool) (keys []string) {
	for k := range set {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// TestLinterRules compares the import rules in the linter's configuration with the tables.
func TestLinterRules(t *testing.T) {
	t.Parallel()
	const path = "../../.golangci.yml"
	const begin, end = "      rules: # generated: go test ./internal/arch -update\n", "      # end of the generated rules\n"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has lost the marks around its generated rules", path)
	}
	derived(t, path, head+begin+rules(tables(t))+end+tail)
}

// derived fails if a file is not what it should be, or makes it so.
func derived(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) == want {
		return
	}
	gotLines, wantLines := strings.Split(string(got), "\n"), strings.Split(want, "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		var g, w string
		if i < len(gotLines) {
			g = gotLines[i]
		}
		if i < len(wantLines) {
			w = wantLines[i]
		}
		if g != w {
			t.Fatalf("%s:%d is %q and should be %q; after a change that was decided on: go test ./internal/arch -update",
				path, i+1, g, w)
		}
	}
}
