package watermill

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// variable is set in a process that runs what a test is about. The others start such a process and read its report.
const variable = "URUTU_WATERMILL_INSIDE"

func inside() bool { return os.Getenv(variable) != "" }

// report is what became of the tests of a process, by their names below the one that has started it.
type report struct {
	outcome map[string]string // "pass", "fail" or "skip"
	output  map[string]string
	said    string // everything
	err     error  // how the process ended
}

// inProcess runs this test once more, in a process of its own.
func inProcess(t *testing.T) *report {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	this := "^" + strings.ReplaceAll(t.Name(), "/", "$/^") + "$"
	args := []string{"tool", "test2json", program, "-test.v=test2json", "-test.run=" + this}
	if end, ok := t.Deadline(); ok {
		args = append(args, "-test.timeout="+(time.Until(end)-5*time.Second).String())
	}
	cmd := exec.CommandContext(t.Context(), "go", args...) //nolint:gosec // this program
	cmd.Env = append(os.Environ(), variable+"=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	ended := cmd.Run()
	r, err := read(&out, t.Name())
	if err != nil {
		t.Fatalf("its report cannot be read: %v; it ended with %v", err, ended)
	}
	r.err = ended
	return r
}

// read reads what test2json says of the tests below one.
func read(from io.Reader, name string) (*report, error) {
	r := &report{outcome: map[string]string{}, output: map[string]string{}}
	for lines := json.NewDecoder(from); ; {
		var e struct{ Action, Test, Output string }
		if err := lines.Decode(&e); errors.Is(err, io.EOF) {
			return r, nil
		} else if err != nil {
			return nil, err
		}
		r.said += e.Output
		below, ok := strings.CutPrefix(e.Test, name+"/")
		if !ok {
			continue
		}
		switch e.Action {
		case "output":
			r.output[below] += e.Output
		case "pass", "fail", "skip":
			r.outcome[below] = e.Action
		}
	}
}

// size is how many tests the suite has.
const size = 16

// problems returns what is wrong with a run of the suite of which the tests in skips, and no others, are to be skipped.
// Each test of the suite has one below it, named at random, that does the work.
func (r *report) problems(skips map[string]string) (list []string) {
	wrong := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	skipped, seen := map[string]bool{}, map[string]bool{}
	for _, test := range slices.Sorted(maps.Keys(r.outcome)) {
		name, _, _ := strings.Cut(test, "/")
		seen[name] = true
		switch r.outcome[test] {
		case "skip":
			skipped[name] = true
			if skips[name] == "" {
				wrong("%s was skipped, without being listed: %s", name, r.output[test])
			}
		case "fail":
			wrong("%s failed: %s", name, r.output[test])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(skips)) {
		if !skipped[name] {
			wrong("%s is listed as skipped, and was not", name)
		}
	}
	if len(seen) != size {
		wrong("there were %d tests, not %d", len(seen), size)
	}
	if r.err != nil && len(list) == 0 {
		wrong("the process ended with %v: %s", r.err, r.said)
	}
	return list
}
