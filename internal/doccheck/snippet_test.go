package doccheck

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
)

// program is one package made of a page's snippets.
type program struct {
	name   string
	source string
	run    bool
	serve  bool   // it runs until it is interrupted
	output string // what it must print; empty: anything
}

// fence is one fenced block of a page.
type fence struct {
	info string
	line int
	text string
}

// fences returns the fenced blocks of a page.
func fences(text string) (blocks []fence, err error) {
	var open *fence
	n := 0
	for line := range strings.Lines(text) {
		n++
		trimmed := strings.TrimSpace(line)
		switch {
		case open == nil && strings.HasPrefix(trimmed, "```"):
			open = &fence{info: strings.TrimPrefix(trimmed, "```"), line: n}
		case open != nil && trimmed == "```":
			blocks = append(blocks, *open)
			open = nil
		case open != nil:
			open.text += line
		}
	}
	if open != nil {
		return nil, fmt.Errorf("the fence at line %d is not closed", open.line)
	}
	return blocks, nil
}

// assemble turns the Go snippets of a page into programs.
func assemble(page, text string) (programs []program, err error) {
	blocks, err := fences(text)
	if err != nil {
		return nil, err
	}
	var fragments []fence
	for i, b := range blocks {
		p := program{name: fmt.Sprintf("%s_line_%d", strings.ToLower(strings.TrimSuffix(page, ".md")), b.line), source: b.text}
		switch b.info {
		case "go fragment":
			fragments = append(fragments, b)
			continue
		case "go run":
			p.run = true
			if i+1 < len(blocks) && blocks[i+1].info == "output" {
				p.output = blocks[i+1].text
			}
		case "go serve":
			p.serve = true
		case "go":
		default:
			if strings.HasPrefix(b.info, "go") {
				return nil, fmt.Errorf("line %d: a fence is marked %q, which means nothing here", b.line, b.info)
			}
			continue
		}
		if _, err := parser.ParseFile(token.NewFileSet(), "snippet.go", b.text, 0); err != nil {
			return nil, fmt.Errorf("line %d: it is not a complete file: %w", b.line, err)
		}
		programs = append(programs, p)
	}
	if len(fragments) == 0 {
		return programs, nil
	}
	source, err := join(fragments)
	name := strings.ToLower(strings.TrimSuffix(page, ".md")) + "_fragments"
	return append(programs, program{name: name, source: source}), err
}

// join makes one file of fragments.
func join(fragments []fence) (string, error) {
	var body strings.Builder
	for _, f := range fragments {
		declared := f.text
		if _, err := parse(declared); err != nil {
			declared = fmt.Sprintf("func _(ctx context.Context) error {\n%s\nreturn nil\n}\n", f.text)
		}
		if _, err := parse(declared); err != nil {
			return "", fmt.Errorf("line %d: %w", f.line, err)
		}
		body.WriteString(declared + "\n")
	}
	file, err := parse(body.String())
	if err != nil {
		return "", err
	}
	imports, err := importsOf(file)
	if err != nil {
		return "", err
	}
	return "package snippets\n\nimport (\n" + imports + ")\n\n" + body.String(), nil
}

func parse(body string) (*ast.File, error) {
	return parser.ParseFile(token.NewFileSet(), "fragment.go", "package snippets\n"+body, 0)
}

// importsOf returns import lines for the packages that a file uses without importing them.
func importsOf(file *ast.File) (string, error) {
	unresolved := map[*ast.Ident]bool{}
	for _, id := range file.Unresolved {
		unresolved[id] = true
	}
	var lines []string
	var unknown string
	ast.Inspect(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if id, ok := sel.X.(*ast.Ident); ok && unresolved[id] {
			if path := known[id.Name]; path != "" {
				lines = append(lines, fmt.Sprintf("\t%q\n", path))
			} else {
				unknown = id.Name
			}
		}
		return true
	})
	if unknown != "" {
		return "", fmt.Errorf("a fragment uses %s, which is neither declared on the page nor a known package", unknown)
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), ""), nil
}
