package watermill

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	pubsub "github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
)

// TestSkipsAreFound: the suite skips what a Pub/Sub without features cannot do, and passes; its report says so.
func TestSkipsAreFound(t *testing.T) {
	if inside() {
		none := func(t *testing.T, _ string) (pubsub.Publisher, pubsub.Subscriber) {
			t.Skip("there is no Pub/Sub")
			return nil, nil
		}
		tests.TestPubSub(t, tests.Features{}, func(t *testing.T) (pubsub.Publisher, pubsub.Subscriber) { return none(t, "") }, none)
		return
	}
	r := inProcess(t)
	if r.err != nil {
		t.Errorf("skips fail the suite by themselves: %v", r.err)
	}
	all := map[string]string{}
	for _, problem := range r.problems(nil) {
		name, rest, _ := strings.Cut(problem, " ")
		if !strings.HasPrefix(rest, "was skipped, without being listed: ") {
			t.Error(problem)
		}
		all[name] = "there is no Pub/Sub"
	}
	if len(all) != size {
		t.Errorf("%d skips were found, not %d", len(all), size)
	}
	if got := r.problems(all); len(got) > 0 {
		t.Errorf("all of them are listed: %q", got)
	}
	delete(all, "TestConsumerGroups")
	if got := r.problems(all); len(got) != 1 || !strings.Contains(got[0], "consumer groups are not supported") {
		t.Errorf("one of them is not listed: %q", got)
	}
}

// TestProblems: whatever a run has that it should not have is found, and what it should have and has not.
func TestProblems(t *testing.T) {
	t.Parallel()
	run := func(change func(*report)) []string {
		lines := &strings.Builder{}
		for i := range size {
			for _, name := range []string{"TestPubSub", "TestPubSub/a", fmt.Sprint("TestPubSub/a/Test", i), fmt.Sprint("TestPubSub/a/Test", i, "/id")} {
				action := "pass"
				if i == 0 && strings.HasSuffix(name, "id") {
					action = "skip"
				}
				fmt.Fprintf(lines, "{\"Action\":\"run\",\"Test\":%q}\n{\"Action\":%q,\"Test\":%q}\n", name, action, name)
			}
		}
		r, err := read(strings.NewReader(lines.String()), "TestPubSub/a")
		if err != nil {
			t.Fatal(err)
		}
		change(r)
		return r.problems(map[string]string{"Test0": "not here"})
	}
	for name, c := range map[string]struct {
		change func(r *report)
		want   []string
	}{
		"none":        {func(*report) {}, nil},
		"a skip":      {func(r *report) { r.outcome["Test1/id"] = "skip" }, []string{"Test1 was skipped, without being listed: "}},
		"a skip more": {func(r *report) { r.outcome["Test0/other"] = "skip" }, nil},
		"a failure":   {func(r *report) { r.outcome["Test1/id"], r.output["Test1/id"] = "fail", "it says why" }, []string{"Test1 failed: it says why"}},
		"no skip":     {func(r *report) { r.outcome["Test0/id"] = "pass" }, []string{"Test0 is listed as skipped, and was not"}},
		"not run":     {func(r *report) { delete(r.outcome, "Test1"); delete(r.outcome, "Test1/id") }, []string{"there were 15 tests, not 16"}},
		"the process": {func(r *report) { r.err = errors.New("exit status 2") }, []string{"the process ended with exit status 2: "}},
	} {
		if got := run(c.change); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if _, err := read(strings.NewReader("PASS"), "TestPubSub"); err == nil {
		t.Error("what is no report was read")
	}
}
