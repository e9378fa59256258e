package watermill

import (
	"bytes"
	"encoding/json"
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

// variable is set in a process that runs what its test is about, rather than reading the report of such a process.
const variable = "URUTU_WATERMILL"

func inside() bool { return os.Getenv(variable) != "" }

// report is what became of the tests of a process, by their names without the one that started it.
type report struct {
	outcome map[string]string // "pass", "fail" or "skip"
	output  map[string]string
	err     error // how the process ended
}

// event is a line of test2json.
type event struct{ Action, Test, Output string }

// inProcess runs this test once more, in a process of its own.
func inProcess(t *testing.T) *report {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"tool", "test2json", program, "-test.v=test2json", "-test.run=^" + strings.ReplaceAll(t.Name(), "/", "$/^") + "$"}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	if end, ok := t.Deadline(); ok {
		args = append(args, "-test.timeout="+(time.Until(end)-5*time.Second).String())
	}
	cmd := exec.CommandContext(t.Context(), "go", args...) //nolint:gosec // this program
	cmd.Env = append(os.Environ(), variable+"=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	r, readErr := read(&out, t.Name())
	if readErr != nil {
		t.Fatalf("%v, after it ended with %v", readErr, err)
	}
	r.err = err
	return r
}

// read reads the events of the tests below one.
func read(from io.Reader, name string) (*report, error) {
	r := &report{outcome: map[string]string{}, output: map[string]string{}}
	for lines := json.NewDecoder(from); ; {
		var e event
		if err := lines.Decode(&e); err == io.EOF {
			return r, nil
		} else if err != nil {
			return nil, err
		}
		below, ok := strings.CutPrefix(e.Test+"/", name+"/")
		if !ok {
			continue
		}
		below = strings.TrimSuffix(below, "/")
		switch e.Action {
		case "output":
			r.output[below] += e.Output
		case "pass", "fail", "skip":
			r.outcome[below] = e.Action
		}
	}
}

// size is the number of tests that the suite has.
const size = 16

// problems returns what is wrong with a run of the suite in which the tests of skips are to be skipped.
func (r *report) problems(skips map[string]string) (list []string) {
	skipped, seen := map[string]bool{}, map[string]bool{}
	for _, test := range slices.Sorted(maps.Keys(r.outcome)) {
		name, id, _ := strings.Cut(test, "/")
		if name == "" {
			continue
		}
		seen[name] = true
		switch r.outcome[test] {
		case "skip":
			skipped[name] = true
			if skips[name] == "" {
				list = append(list, fmt.Sprintf("%s is skipped, and not listed: %s", name, r.output[test]))
			}
		case "fail":
			list = append(list, fmt.Sprintf("%s failed: %s", name, r.output[test]))
		}
		_ = id
	}
	for name := range maps.Keys(skips) {
		if !skipped[name] {
			list = append(list, name+" is listed among the skips, and was not skipped")
		}
	}
	if len(seen) != size {
		list = append(list, fmt.Sprintf("the suite has %d tests, %d were seen", size, len(seen)))
	}
	if r.err != nil {
		list = append(list, fmt.Sprintf("the process ended with %v: %s", r.err, r.output[""]))
	}
	return list
}
