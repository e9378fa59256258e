package doccheck

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const repository = "../.."

// pages are the files whose snippets are checked.
func pages(t *testing.T) []string {
	t.Helper()
	docs, err := filepath.Glob(repository + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{repository + "/README.md", repository + "/CONTRIBUTING.md"}, docs...)
}

func TestSnippets(t *testing.T) {
	t.Parallel()
	found := 0
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		programs, err := assemble(filepath.Base(page), string(text))
		if err != nil {
			t.Errorf("%s: %v", page, err)
			continue
		}
		found += len(programs)
		for _, p := range programs {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				check(t, p)
			})
		}
	}
	if found == 0 {
		t.Fatal("no snippet was found: is the search broken?")
	}
}

// check compiles a program, and runs it where its page says so.
func check(t *testing.T, p program) {
	t.Helper()
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	source := filepath.Join(dir, "snippet.go")
	if p.serve {
		p.source = strings.ReplaceAll(p.source, "127.0.0.1:8080", "127.0.0.1:0")
	}
	if err := os.WriteFile(source, []byte(p.source), 0o600); err != nil {
		t.Fatal(err)
	}
	// The directory exists for the compiler only.
	virtual := filepath.Join(root, "internal", "doccheck", "snippets", p.name)
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(virtual, "snippet.go"): source}})
	if err != nil {
		t.Fatal(err)
	}
	overlayFile := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlayFile, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "snippet")
	tool(t, root, p, "go", "build", "-overlay", overlayFile, "-o", binary, virtual)
	if p.serve {
		serve(t, dir, binary)
	}
	if !p.run {
		return
	}
	if got := tool(t, dir, p, binary); p.output != "" && got != p.output {
		t.Errorf("it prints\n%sand not, as the page says,\n%s", got, p.output)
	}
}

// serve runs a program until it says that it has started, interrupts it, and wants it to end well.
func serve(t *testing.T, dir, binary string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary)
	cmd.Dir = dir
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	started := false
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if !started && strings.Contains(lines.Text(), "started") {
			started = true
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Error(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil || !started {
		t.Errorf("started: %v, ended: %v\n%s", started, err, said.String())
	}
}

// tool runs a command and returns what it printed.
func tool(t *testing.T, dir string, p program, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s\n%s", name, args[0], err, out, numbered(p.source))
	}
	return string(out)
}

func numbered(source string) string {
	var b strings.Builder
	n := 0
	for line := range strings.Lines(source) {
		n++
		fmt.Fprintf(&b, "%3d  %s", n, line)
	}
	return b.String()
}

// TestBrokenSnippetIsFound shows that the check can fail.
func TestBrokenSnippetIsFound(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"syntax":         "```go fragment\nx := := 1\n```\n",
		"unknown import": "```go fragment\nnowhere.Call()\n```\n",
		"unmarked":       "```go\nx := 1\n```\n",
		"unknown mark":   "```go sometimes\npackage x\n```\n",
		"not closed":     "```go\npackage x\n",
	} {
		if programs, err := assemble("page.md", text); err == nil {
			t.Errorf("%s: was accepted: %v", name, programs)
		}
	}
}
